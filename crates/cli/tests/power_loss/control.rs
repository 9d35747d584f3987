//! Proof that the shim bites: what is not synced is lost, what is synced stays, names apart from contents.
//!
//! Each test runs this very test program again as a child on a [`Disk`], where [`child`] plays a scene with the standard
//! library's own calls, the ones that the product makes, and ends in SIGKILL. A disk that forgot nothing, or
//! everything, would fail these tests.

use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::disk::{Disk, Loss, Shim, cc};
use super::harness::home::Home;
use rustix::process::{Signal, getpid, kill_process};

/// Which scene the child plays.
const SCENE: &str = "MUSTER_TEST_SCENE";
const SCENE_DIRECTORY: &str = "MUSTER_TEST_SCENE_DIRECTORY";

/// A disk with a directory and two durable files, and a place for what is left.
struct Stage {
    home: Home,
    disk: Disk,
}

impl Stage {
    fn new() -> Stage {
        let home = Home::new();
        let shim = Shim::compile(home.path());
        let live = home.path().join("live");
        fs::create_dir_all(live.join("inner")).unwrap();
        fs::write(live.join("old"), "old content").unwrap();
        fs::write(live.join("inner/old"), "inner content").unwrap();
        let disk = Disk::new(&shim, &live, &home.path().join("mirror"));
        Stage { home, disk }
    }

    fn play(&self, scene: &str) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "control::child", "--ignored", "--nocapture", "--test-threads=1"]);
        command.envs(self.disk.environment()).env(SCENE, scene).env(SCENE_DIRECTORY, self.disk.live());
        command.output().unwrap().status
    }

    #[track_caller]
    fn play_to_the_end(&self, scene: &str) {
        let status = self.play(scene);
        assert_eq!(status.signal(), Some(9), "the scene {scene} ends in SIGKILL, not in {status}");
    }

    /// What a power failure leaves of a file now; `None`: not even its name.
    fn left(&self, name: &str) -> Option<String> {
        let into = tempfile::tempdir_in(self.home.path()).unwrap();
        self.disk.remains(into.path(), Loss::Everything);
        fs::read(into.path().join(name)).ok().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[track_caller]
    fn check(&self, name: &str, left: Option<&str>) {
        assert_eq!(self.left(name).as_deref(), left, "{name}");
    }
}

#[test]
fn contents_are_lost_unless_synced() {
    let stage = Stage::new();
    stage.check("old", Some("old content"));
    stage.play_to_the_end("contents");
    assert_eq!(fs::read_to_string(stage.disk.live().join("unsynced")).unwrap(), "lost", "live, it was written");
    stage.check("unsynced", Some(""));
    stage.check("synced", Some("kept"));
    stage.check("data-synced", Some("kept"));
    stage.check("half", Some("kept"));
    stage.check("old", Some("old content"));
    stage.check("inner/old", Some("INNER content"));
    stage.check("placed", Some("kept\0\0\0\0here"));
    stage.check("vectored", Some("one two"));
    stage.check("cut", Some("ab\0\0"));
    stage.check("copied", Some("old and more"));
    stage.check("copied-unsynced", Some(""));
    let (bytes, nameless) = stage.disk.at_stake();
    assert!(bytes > 0 && nameless == 0, "{bytes} bytes and {nameless} names at stake");
}

#[test]
fn names_are_lost_unless_their_directory_is_synced() {
    let stage = Stage::new();
    stage.play_to_the_end("names");
    stage.check("nameless", None);
    stage.check("old", Some("old content"));
    stage.check("inner/old", None);
    stage.check("inner/renamed", Some("inner content"));
    stage.check("made/file", None);
    stage.check("inner/made/file", Some("kept"));
    stage.check("inner/made/nameless", None);
}

#[test]
fn removed_names_come_back_and_reused_ones_keep_their_content() {
    let stage = Stage::new();
    stage.play_to_the_end("removal");
    assert!(!stage.disk.live().join("inner").exists(), "live, it is gone");
    stage.check("inner/old", Some("inner content"));
    stage.check("old", Some("old content"));
}

#[test]
fn on_a_kinder_file_system_names_follow_their_files() {
    let mut stage = Stage::new();
    stage.disk = stage.disk.names_follow_files();
    stage.play_to_the_end("names");
    stage.check("nameless", Some("kept"));
    stage.check("made/file", Some("kept"));
}

/// A sync covers the whole file, also what an earlier process wrote and left.
#[test]
fn a_second_process_can_lose_or_save_what_the_first_one_wrote() {
    let stage = Stage::new();
    stage.play_to_the_end("append");
    stage.play_to_the_end("append");
    stage.check("old", Some("old content"));
    stage.play_to_the_end("sync what is there");
    stage.check("old", Some("old content+more+more"));
}

#[test]
fn what_cannot_be_modelled_ends_the_process() {
    let stage = Stage::new();
    let aborted = stage.play("write with O_SYNC");
    assert_eq!(aborted.signal(), Some(6), "O_SYNC: {aborted}");

    let program = stage.home.path().join("map");
    cc(&["-Wall", "-Wextra"], "map.c", &program);
    let map = |file: &Path| Command::new(&program).arg(file).envs(stage.disk.environment()).output().unwrap();
    let mapped = map(&stage.disk.live().join("mapped"));
    assert_eq!(mapped.status.signal(), Some(6), "a shared mapping: {}", mapped.status);
    assert!(String::from_utf8_lossy(&mapped.stderr).contains("shared writable mapping"), "and says why");
    assert!(map(&stage.home.path().join("elsewhere")).status.success(), "outside the directory it is no concern");
}

#[test]
#[ignore = "the control tests run it in a child process, under the shim"]
fn child() {
    let directory = PathBuf::from(std::env::var_os(SCENE_DIRECTORY).expect("run by a control test"));
    match std::env::var(SCENE).expect("run by a control test").as_str() {
        "contents" => play_contents(&directory),
        "names" => play_names(&directory),
        "removal" => play_removal(&directory),
        "append" => write(OpenOptions::new().append(true), &directory.join("old"), "+more"),
        "sync what is there" => File::open(directory.join("old")).unwrap().sync_all().unwrap(),
        "write with O_SYNC" => {
            write(OpenOptions::new().append(true).custom_flags(0o4_010_000), &directory.join("old"), "!")
        }
        other => panic!("no scene {other}"),
    }
    kill_process(getpid(), Signal::KILL).unwrap();
}

fn play_contents(at: &Path) {
    write(&mut new(), &at.join("unsynced"), "lost");
    sync_after(&at.join("synced"), "kept", File::sync_all);
    sync_after(&at.join("data-synced"), "kept", File::sync_data);
    sync_after(&at.join("half"), "kept", File::sync_data);
    write(OpenOptions::new().append(true), &at.join("half"), " and lost");
    write(OpenOptions::new().write(true), &at.join("old"), "OLD");
    write(OpenOptions::new().write(true), &at.join("inner/old"), "INNER");
    File::open(at.join("inner/old")).unwrap().sync_all().unwrap();

    let placed = new().open(at.join("placed")).unwrap();
    placed.write_all_at(b"here", 8).unwrap();
    placed.write_all_at(b"kept", 0).unwrap();
    placed.sync_data().unwrap();
    placed.write_all_at(b"lost", 4).unwrap();

    let mut vectored = new().open(at.join("vectored")).unwrap();
    assert_eq!(vectored.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")]).unwrap(), 7);
    vectored.sync_all().unwrap();

    let cut = sync_after(&at.join("cut"), "abcd", File::sync_all);
    cut.set_len(2).unwrap();
    cut.set_len(4).unwrap();
    cut.sync_all().unwrap();
    cut.set_len(1).unwrap();

    fs::write(at.join("source"), "old and more").unwrap();
    fs::copy(at.join("source"), at.join("copied")).unwrap();
    fs::copy(at.join("source"), at.join("copied-unsynced")).unwrap();
    File::open(at.join("copied")).unwrap().sync_all().unwrap();
    File::open(at).unwrap().sync_all().unwrap();
}

fn play_names(at: &Path) {
    sync_after(&at.join("nameless"), "kept", File::sync_all);
    fs::rename(at.join("inner/old"), at.join("inner/renamed")).unwrap();
    fs::create_dir(at.join("inner/made")).unwrap();
    sync_after(&at.join("inner/made/file"), "kept", File::sync_all);
    for directory in ["inner/made", "inner"] {
        File::open(at.join(directory)).unwrap().sync_all().unwrap();
    }
    sync_after(&at.join("inner/made/nameless"), "kept", File::sync_all);
    fs::create_dir(at.join("made")).unwrap();
    sync_after(&at.join("made/file"), "kept", File::sync_all);
    File::open(at.join("made")).unwrap().sync_all().unwrap();
    // Renamed last, and not synced: the old name is still the durable one.
    fs::rename(at.join("old"), at.join("renamed")).unwrap();
}

fn play_removal(at: &Path) {
    fs::remove_dir_all(at.join("inner")).unwrap();
    fs::remove_file(at.join("old")).unwrap();
    // New files and directories must not take over what is durable under the numbers of the old ones.
    for number in 0..20 {
        fs::create_dir(at.join(format!("directory-{number}"))).unwrap();
        sync_after(&at.join(format!("directory-{number}/file")), "another", File::sync_all);
        File::open(at.join(format!("directory-{number}"))).unwrap().sync_all().unwrap();
    }
    write(&mut new(), &at.join("old"), "another");
}

fn new() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

fn write(options: &mut OpenOptions, path: &Path, text: &str) {
    options.open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn sync_after(path: &Path, text: &str, sync: fn(&File) -> std::io::Result<()>) -> File {
    let mut file = new().open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    sync(&file).unwrap();
    file
}
