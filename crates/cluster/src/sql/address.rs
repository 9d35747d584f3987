//! Where PostgreSQL is, and how it is spoken to.
//!
//! `postgres://user:password@one,two/database?sslmode=verify-full&sslrootcert=/etc/muster/ca.pem`: what the library knows of such
//! URLs, and of TLS what the programs that come with PostgreSQL know. Never shows any of it.

use postgres::{Client, Config, NoTls, config::SslMode};

use super::tls::{Check, Files, Tls};
use crate::asked;

const FORM: &str = "write postgres://user:password@host:port/database";

/// What a URL of PostgreSQL says.
#[derive(Clone)]
pub struct Address {
    config: Config,
    /// None where it is not spoken.
    tls: Option<Tls>,
}

impl Address {
    /// Reads a URL; what is wrong with it in a sentence that repeats no secret.
    pub fn parse(url: &str) -> Result<Address, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("it begins with postgres://".to_owned());
        }
        let (place, asked) = url.split_once('?').unwrap_or((url, ""));
        let (mut files, mut mode, mut rest) = (Files::default(), "prefer".to_owned(), Vec::new());
        for (name, value, pair) in asked::pairs(asked) {
            match name {
                "sslmode" => mode = value,
                "sslrootcert" => files.authorities = Some(value),
                "sslcert" => files.certificate = Some(value),
                "sslkey" => files.key = Some(value),
                _ => rest.push(pair),
            }
        }
        let mark = if rest.is_empty() { "" } else { "?" };
        // What the library says of it may repeat a password.
        let mut config: Config = format!("{place}{mark}{}", rest.join("&")).parse().map_err(|_| FORM.to_owned())?;
        config.application_name("muster");
        let check = match mode.as_str() {
            "disable" | "prefer" => Check::Nothing,
            // As with the programs that come with PostgreSQL, whoever names authorities wants to have them asked.
            "require" if files.authorities.is_none() => Check::Nothing,
            "require" | "verify-ca" => Check::Authority,
            "verify-full" => Check::Host,
            _ => return Err("sslmode is disable, prefer, require, verify-ca or verify-full".to_owned()),
        };
        config.ssl_mode(match mode.as_str() {
            "disable" => SslMode::Disable,
            "prefer" => SslMode::Prefer,
            _ => SslMode::Require,
        });
        let tls = if mode == "disable" { None } else { Some(Tls::new(check, &files)?) };
        Ok(Address { config, tls })
    }

    /// What there is beside TLS.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same with other settings of connections.
    pub fn map(&self, change: impl FnOnce(&mut Config)) -> Address {
        let mut changed = self.clone();
        change(&mut changed.config);
        changed
    }

    /// Connects.
    pub fn connect(&self) -> Result<Client, postgres::Error> {
        match &self.tls {
            Some(tls) => self.config.connect(tls.clone()),
            None => self.config.connect(NoTls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<(SslMode, bool), String> {
        Address::parse(url).map(|address| (address.config.get_ssl_mode(), address.tls.is_some()))
    }

    #[test]
    fn what_is_said_of_tls_is_understood() {
        assert_eq!(mode("postgres://h/d"), Ok((SslMode::Prefer, true)));
        assert_eq!(mode("postgres://h/d?sslmode=disable"), Ok((SslMode::Disable, false)));
        assert_eq!(mode("postgres://h/d?connect_timeout=3&sslmode=require"), Ok((SslMode::Require, true)));
        let missing = mode("postgres://u:secret@h/d?sslmode=verify-full&sslrootcert=%2Fno%2Fca+1.pem").unwrap_err();
        assert!(missing.starts_with("sslrootcert: /no/ca+1.pem cannot be read") && !missing.contains("secret"));
        let half = mode("postgres://h/d?sslmode=require&sslcert=/no/cert.pem").unwrap_err();
        assert!(half.contains("go together"), "{half}");
        let unknown = mode("postgres://h/d?sslmode=maybe").unwrap_err();
        assert!(unknown.starts_with("sslmode is"), "{unknown}");
        let other = Address::parse("postgres://h/d?target_session_attrs=read-write&sslmode=require").ok().unwrap();
        assert_eq!(other.config.get_target_session_attrs(), postgres::config::TargetSessionAttrs::ReadWrite);
    }
}
