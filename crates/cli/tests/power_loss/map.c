/* Writes to the file named by its argument through a shared mapping, which the shim must refuse. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int fd = count == 2 ? open(arguments[1], O_RDWR | O_CREAT, 0600) : -1;
    if (fd < 0 || ftruncate(fd, 4096) != 0) return 2;
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return 3;
    at[0] = 1;
    return 0;
}
