//! Every setting, typed and checked.

use muster_query::Spill;
use muster_server::{ServerSettings, Serves, forward::Configured};

use super::{
    cluster::{self, Cluster, Roles},
    engine::Engine,
    forward, http,
    layers::{self, Sources},
    limits,
    log::Log,
    origin::SettingsError,
    place::Place,
    query,
    tls::TlsFiles,
    trait_names,
    values::Values,
};

/// Where queries write what does not fit in memory, in the data directory. Files in it have no names.
const TEMPORARY_DIR: &str = "temporary";

/// What the program was told, in force.
#[derive(Clone, Debug)]
pub struct Settings {
    pub place: Place,
    pub log: Log,
    /// The server speaks TLS with these, if any.
    pub tls: Option<TlsFiles>,
    /// Without an operator token; that one is made at every start.
    pub server: ServerSettings,
    pub engine: Engine,
    /// The cluster that everything is kept in, if it is not the data directory.
    pub cluster: Option<Cluster>,
    pub roles: Roles,
    /// Destinations of the settings file.
    pub destinations: Vec<Configured>,
    /// Each value and where it came from.
    pub values: Values,
}

impl Settings {
    /// Lays the layers and checks every value, also those that the command at hand does not use.
    pub fn load(sources: Sources) -> Result<Settings, SettingsError> {
        let (values, destinations) = layers::lay(sources)?;
        let mut server = ServerSettings::default();
        limits::read(&values, &mut server)?;
        http::read(&values, &mut server)?;
        trait_names::read(&values, &mut server)?;
        query::read(&values, &mut server)?;
        forward::read(&values, &mut server)?;
        let place = Place::read(&values)?;
        let log = Log::read(&values)?;
        let tls = TlsFiles::read(&values)?;
        let engine = Engine::read(&values)?;
        let (cluster, roles) = cluster::read(&values)?;
        server
            .check()
            .map_err(|says| SettingsError(format!("the settings of [limits] and [http] contradict: {says}")))?;
        let body_bytes_max = server.body_bytes_max;
        if engine.queue_bytes_max / 2 < body_bytes_max {
            let says = format!(
                "must be at least twice limits.body_bytes_max, which is {body_bytes_max}; a full body would never fit"
            );
            return Err(values.refuse("intake.queue_bytes_max", &says));
        }
        Ok(Settings { place, log, tls, server, engine, cluster, roles, destinations, values })
    }

    /// The server's part, with what follows from the data directory.
    pub fn server(&self) -> ServerSettings {
        let mut server = self.server.clone();
        server.serves = Serves { intake: self.roles.intake, console: self.roles.console };
        let dir = self.place.data_dir.join(TEMPORARY_DIR);
        server.query_limits.spill = Some(Spill { dir, free_bytes_min: self.engine.free_bytes_min });
        server
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::PathBuf};

    use super::{super::layers::Flags, *};

    fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings::load(Sources { flags: Flags::default(), environment, directory: PathBuf::from("/nowhere") })
    }

    #[test]
    fn every_built_in_setting_is_read_and_in_range() {
        let settings = load(&[]).unwrap();
        let all: BTreeSet<String> = settings.values.all().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(settings.values.names_read(), all);
    }

    #[test]
    fn the_built_in_file_says_what_the_server_does_by_itself() {
        let settings = load(&[]).unwrap();
        assert_eq!(format!("{:?}", settings.server), format!("{:?}", ServerSettings::default()));
    }

    #[test]
    fn a_value_out_of_range_names_its_variable() {
        let check = |variable: &str, value: &str, wanted: &str| {
            let says = load(&[(variable, value)]).unwrap_err().to_string();
            assert!(says.contains(variable) && says.contains(wanted), "{says}");
        };
        check("MUSTER_CHECKPOINT__ROWS_MAX", "0", "checkpoint.rows_max = 0");
        check("MUSTER_LISTEN", "everywhere", "IP address and a port");
        check("MUSTER_LOG__FORMAT", "xml", "text or json");
        check("MUSTER_LIMITS__MESSAGE_DEPTH_MAX", "1000", "from 2 to 128");
        check("MUSTER_DATA_DIR", "", "must not be empty");
        check("MUSTER_TLS__KEY_FILE", "key.pem", "together with tls.certificate_file");
        check("MUSTER_TRAITS__MRR", "", "must name a trait");
    }

    #[test]
    fn a_cluster_is_two_urls() {
        let (state, journal) =
            (("MUSTER_CLUSTER__STATE_URL", "postgres://u:secret@h/d"), ("MUSTER_CLUSTER__JOURNAL_URL", "nats://h"));
        assert!(load(&[state, journal]).unwrap().cluster.is_some());
        let says = load(&[state]).unwrap_err().to_string();
        assert!(says.contains("cluster.journal_url") && !says.contains("secret"), "{says}");
        let says = load(&[("MUSTER_CLUSTER__ROLE", "apply")]).unwrap_err().to_string();
        assert!(says.contains("needs a cluster"), "{says}");
        let roles = load(&[state, journal, ("MUSTER_CLUSTER__ROLE", "apply")]).unwrap().roles;
        assert!(roles.apply && !roles.intake && !roles.console);
    }

    #[test]
    fn values_that_contradict_each_other_are_refused() {
        let says = load(&[("MUSTER_LIMITS__IN_FLIGHT_BYTES_MAX", "1_000_000")]).unwrap_err().to_string();
        assert!(says.contains("in_flight_bytes_max"), "{says}");
        let says = load(&[("MUSTER_INTAKE__QUEUE_BYTES_MAX", "2_000_000")]).unwrap_err().to_string();
        assert!(says.contains("intake.queue_bytes_max") && says.contains("twice"), "{says}");
    }
}
