//! Where the bucket is: `s3://bucket/prefix?region=…`, `gs://`, `az://`, or `file:///a/shared/folder`.
//!
//! What a service needs besides stands behind the question mark, or in the environment under the names that its own tools use
//! (`AWS_ACCESS_KEY_ID`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_KEY`, …). Nothing of it is ever shown, and
//! nothing is asked of the service here.

use std::{str::FromStr, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    local::LocalFileSystem,
    path::Path,
    prefix::PrefixStore,
};
use url::Url;

/// Longest that one request may take, and that it is tried again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES_MAX: usize = 4;

/// What a URL of the bucket says.
#[derive(Clone)]
pub struct Address {
    url: Url,
    service: Service,
    settings: Vec<(String, String)>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("service", &self.service).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    S3,
    Google,
    Azure,
    Folder,
}

impl Service {
    fn knows(self, setting: &str) -> bool {
        match self {
            Service::S3 => AmazonS3ConfigKey::from_str(setting).is_ok(),
            Service::Google => GoogleConfigKey::from_str(setting).is_ok(),
            Service::Azure => AzureConfigKey::from_str(setting).is_ok(),
            Service::Folder => false,
        }
    }

    /// What names of its settings begin with in the environment.
    fn prefix(self) -> Option<&'static str> {
        match self {
            Service::S3 => Some("aws_"),
            Service::Google => Some("google_"),
            Service::Azure => Some("azure_"),
            Service::Folder => None,
        }
    }
}

impl Address {
    /// Reads a URL, with what the environment says; what is wrong with it in a sentence that repeats no secret.
    pub fn parse(url: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Address, String> {
        let mut url = Url::parse(url).map_err(|_| "write s3://bucket/prefix, gs://…, az://… or file:///folder")?;
        let service = match url.scheme() {
            "s3" | "s3a" => Service::S3,
            "gs" => Service::Google,
            "az" | "abfs" | "abfss" => Service::Azure,
            "file" => Service::Folder,
            other => return Err(format!("{other} is no bucket that is known; s3, gs, az and file are")),
        };
        let mut settings = Vec::new();
        if let Some(prefix) = service.prefix() {
            let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
            let named = |(name, _): &(String, String)| name.starts_with(prefix) && service.knows(name);
            settings.extend(environment.into_iter().map(lower).filter(named));
        }
        for (name, value) in url.query_pairs() {
            if !service.knows(&name) {
                return Err(format!("{name} is no setting of this kind of bucket"));
            }
            settings.push((name.into_owned(), value.into_owned()));
        }
        url.set_query(None);
        let address = Address { url, service, settings };
        if service == Service::Folder && address.folder().is_none() {
            return Err("a folder is file:///and/its/whole/path".to_owned());
        }
        if service != Service::Folder && address.url.host_str().is_none_or(str::is_empty) {
            return Err("the name of the bucket is missing".to_owned());
        }
        Ok(address)
    }

    fn folder(&self) -> Option<std::path::PathBuf> {
        self.url.to_file_path().ok().filter(|path| path.parent().is_some())
    }

    /// Opens it. Nothing is asked of it yet.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, String> {
        // Whoever was first installed the only one there is.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let says = |error: object_store::Error| error.to_string();
        let retry =
            RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES_MAX, retry_timeout: RETRY_TIMEOUT };
        let client = ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
        let url = self.url.as_str();
        let store: Arc<dyn ObjectStore> = match self.service {
            Service::S3 => {
                let mut builder = AmazonS3Builder::new().with_retry(retry).with_client_options(client).with_url(url);
                for (name, value) in &self.settings {
                    builder = builder.with_config(AmazonS3ConfigKey::from_str(name).map_err(says)?, value);
                }
                Arc::new(builder.build().map_err(says)?)
            }
            Service::Google => {
                let mut builder =
                    GoogleCloudStorageBuilder::new().with_retry(retry).with_client_options(client).with_url(url);
                for (name, value) in &self.settings {
                    builder = builder.with_config(GoogleConfigKey::from_str(name).map_err(says)?, value);
                }
                Arc::new(builder.build().map_err(says)?)
            }
            Service::Azure => {
                let mut builder =
                    MicrosoftAzureBuilder::new().with_retry(retry).with_client_options(client).with_url(url);
                for (name, value) in &self.settings {
                    builder = builder.with_config(AzureConfigKey::from_str(name).map_err(says)?, value);
                }
                Arc::new(builder.build().map_err(says)?)
            }
            Service::Folder => {
                let folder = self.folder().ok_or("a folder is file:///and/its/whole/path")?;
                std::fs::create_dir_all(&folder).map_err(|error| format!("the folder: {error}"))?;
                let folder = LocalFileSystem::new_with_prefix(folder).map_err(says)?;
                return Ok(Arc::new(folder.with_fsync(true)));
            }
        };
        let prefix = Path::from_url_path(self.url.path()).map_err(|error| error.to_string())?;
        Ok(if prefix.as_ref().is_empty() { store } else { Arc::new(PrefixStore::new(store, prefix)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_named_by_urls() {
        let none = || Vec::<(String, String)>::new();
        for url in [
            "s3://bucket/a/prefix?region=eu-west-1&endpoint=http://127.0.0.1:9000&allow_http=true",
            "gs://bucket",
            "file:///tmp/muster-address",
        ] {
            assert!(Address::parse(url, none()).is_ok(), "{url}");
        }
        let s3 = Address::parse("s3://bucket/p?region=x&aws_access_key_id=k&aws_secret_access_key=s", none()).unwrap();
        assert!(s3.open().is_ok());
        assert!(!format!("{s3:?}").contains("bucket"));
    }

    #[test]
    fn the_environment_says_what_the_url_does_not() {
        let environment = [("AWS_REGION", "eu"), ("AWS_PROFILE", "ignored"), ("HOME", "/")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let address = Address::parse("s3://bucket?region=us", environment).unwrap();
        let regions: Vec<&str> = address.settings.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(regions, ["eu", "us"], "what stands in the URL comes last and counts");
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        let none = || Vec::<(String, String)>::new();
        for (url, says) in [
            ("bucket/secret", "write s3://"),
            ("ftp://secret", "ftp is no bucket"),
            ("s3://?region=x", "name of the bucket"),
            ("s3://bucket?regoin=secret", "regoin is no setting"),
            ("file:///", "whole/path"),
        ] {
            let error = Address::parse(url, none()).unwrap_err();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
