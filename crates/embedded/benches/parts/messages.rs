//! Messages for a benchmark: seven tracks, two users and an account in ten, spread over users and accounts.

use muster_model::time::Micros;

/// When the first of them happened; each a millisecond after the one before.
pub const START: i64 = 1_700_000_000_000_000;

/// The message of a number, as JSON, about one of so many users.
pub fn message(number: usize, users: usize) -> String {
    let scrambled = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let user = (scrambled >> 20) as usize % users;
    let account = user / 25;
    let at = Micros(START + number as i64 * 1_000).to_millis_text();
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        scrambled as u32,
        number & 0xffff,
        number & 0xfff,
        number >> 4 & 0xfff,
        scrambled >> 16
    );
    match number % 10 {
        0..=6 => format!(
            r#"{{"type":"track","userId":"user-{user}","event":"{}","properties":{{"page":"/reports/{}","seconds":{}}},"messageId":"{id}","timestamp":"{at}"}}"#,
            ["opened", "exported", "invited", "searched"][number % 4],
            number % 97,
            number % 300,
        ),
        7 | 8 => format!(
            r#"{{"type":"user","userId":"user-{user}","accountId":"account-{account}","traits":{{"name":"User {user}","email":"user{user}@example.com","logins":{number}}},"messageId":"{id}","timestamp":"{at}"}}"#,
        ),
        _ => format!(
            r#"{{"type":"account","accountId":"account-{account}","organizationId":"org-{}","traits":{{"name":"Account {account}","plan":"pro","seats":{}}},"messageId":"{id}","timestamp":"{at}"}}"#,
            account / 10,
            number % 500,
        ),
    }
}
