//! The messages that cases are told with.
//!
//! Days are days of January 2024; cases receive in March, so nothing here lies in the future. None carries a
//! `messageId`: what differs in any word is another message.

/// `user` describes itself as belonging to `account`.
#[must_use]
pub fn joins(user: &str, account: &str, day: u32) -> String {
    format!(r#"{{"type":"user","userId":"{user}","accountId":"{account}","timestamp":"2024-01-{day:02}"}}"#)
}

/// `user` describes itself as belonging to `organization`.
#[must_use]
pub fn joins_organization(user: &str, organization: &str, day: u32) -> String {
    format!(r#"{{"type":"user","userId":"{user}","organizationId":"{organization}","timestamp":"2024-01-{day:02}"}}"#)
}

/// `user` leaves `account`.
#[must_use]
pub fn leaves(user: &str, account: &str, day: u32) -> String {
    format!(r#"{{"type":"unlink","userId":"{user}","accountId":"{account}","timestamp":"2024-01-{day:02}"}}"#)
}

/// `account` describes itself with `traits`, a JSON object.
#[must_use]
pub fn account(account: &str, day: u32, traits: &str) -> String {
    format!(r#"{{"type":"account","accountId":"{account}","timestamp":"2024-01-{day:02}","traits":{traits}}}"#)
}

/// `account` describes itself as belonging to `organization`.
#[must_use]
pub fn account_of(account: &str, organization: &str, day: u32) -> String {
    format!(
        r#"{{"type":"account","accountId":"{account}","organizationId":"{organization}","timestamp":"2024-01-{day:02}"}}"#
    )
}

/// `user` does something, without saying in which account.
#[must_use]
pub fn does(user: &str, event: &str, day: u32) -> String {
    format!(r#"{{"type":"track","event":"{event}","userId":"{user}","timestamp":"2024-01-{day:02}"}}"#)
}

/// `user` does something in `account`.
#[must_use]
pub fn does_in(user: &str, account: &str, event: &str, day: u32) -> String {
    format!(
        r#"{{"type":"track","event":"{event}","userId":"{user}","accountId":"{account}","timestamp":"2024-01-{day:02}"}}"#
    )
}

/// The documentation's own batch: four messages that share one `messageId`.
pub const WORLD_CUP: [&str; 4] = [
    r#"{"type":"organization","organizationId":"abcdefg","messageId":"m-1","timestamp":"2018-05-15T12:31:12.123Z","traits":{"name":"World Cup"}}"#,
    r#"{"type":"account","accountId":"123456","organizationId":"abcdefg","messageId":"m-1","timestamp":"2018-05-15T12:31:12.123Z","traits":{"name":"Argentina"}}"#,
    r#"{"type":"user","userId":"32","accountId":"123456","organizationId":"abcdefg","messageId":"m-1","timestamp":"2018-05-15T12:31:12.123Z","traits":{"name":"Lionel Messi"}}"#,
    r#"{"type":"track","userId":"32","event":"scored-goal","messageId":"m-1","timestamp":"2018-05-15T12:31:12.123Z","properties":{"minute":23}}"#,
];

/// Someone anonymous does something, without saying in which account.
#[must_use]
pub fn strolls(anonymous: &str, event: &str, day: u32) -> String {
    format!(
        r#"{{"type":"track","callType":"track","event":"{event}","anonymousId":"{anonymous}","timestamp":"2024-01-{day:02}"}}"#
    )
}

/// Someone anonymous does something in `account`.
#[must_use]
pub fn strolls_in(anonymous: &str, account: &str, event: &str, day: u32) -> String {
    format!(
        r#"{{"type":"track","callType":"track","event":"{event}","anonymousId":"{anonymous}","accountId":"{account}","timestamp":"2024-01-{day:02}"}}"#
    )
}

/// `user` turns out to be someone anonymous.
#[must_use]
pub fn is(user: &str, anonymous: &str, day: u32) -> String {
    format!(
        r#"{{"type":"user","callType":"identify","userId":"{user}","anonymousId":"{anonymous}","timestamp":"2024-01-{day:02}"}}"#
    )
}
