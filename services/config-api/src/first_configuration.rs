//! The first configuration, as the environment gives it: whole, or told what is missing. Pure.

use events::ConfigField;
use secrecy::SecretString;
use service::settings;
use url::Url;

/// The five `FLASHERP_` variables, each set or not.
#[derive(Clone, Debug, Default)]
pub struct FromEnvironment {
    /// `FLASHERP_ENABLED`.
    pub enabled: Option<bool>,
    /// `FLASHERP_API_KEY`.
    pub api_key: Option<SecretString>,
    /// `FLASHERP_API_SECRET`.
    pub api_secret: Option<SecretString>,
    /// `FLASHERP_BASE_URL`.
    pub base_url: Option<Url>,
    /// The first of `FLASHERP_WEBHOOK_SECRET`.
    pub webhook_secret: Option<SecretString>,
}

/// A configuration that can be saved.
#[derive(Clone, Debug)]
pub struct FirstConfiguration {
    /// Off unless `FLASHERP_ENABLED` says true, so that nothing is sent before somebody wants it.
    pub is_enabled: bool,
    pub api_key: SecretString,
    pub api_secret: SecretString,
    pub base_url: Url,
    pub webhook_secret: Option<SecretString>,
}

impl FromEnvironment {
    /// The configuration.
    ///
    /// # Errors
    /// The names of the variables that it needs and that are not set.
    pub fn complete(&self) -> Result<FirstConfiguration, Vec<&'static str>> {
        match (&self.api_key, &self.api_secret, &self.base_url) {
            (Some(api_key), Some(api_secret), Some(base_url)) => Ok(FirstConfiguration {
                is_enabled: self.enabled.unwrap_or(false),
                api_key: api_key.clone(),
                api_secret: api_secret.clone(),
                base_url: base_url.clone(),
                webhook_secret: self.webhook_secret.clone(),
            }),
            (api_key, api_secret, base_url) => {
                let needed = [
                    (settings::FLASHERP_API_KEY.name, api_key.is_some()),
                    (settings::FLASHERP_API_SECRET.name, api_secret.is_some()),
                    (settings::FLASHERP_BASE_URL.name, base_url.is_some()),
                ];
                Err(needed.into_iter().filter(|(_, is_set)| !is_set).map(|(name, _)| name).collect())
            }
        }
    }
}

impl FirstConfiguration {
    /// What it sets; all else has the table's defaults.
    #[must_use]
    pub fn fields(&self) -> Vec<ConfigField> {
        let mut fields =
            vec![ConfigField::ApiKey, ConfigField::ApiSecret, ConfigField::BaseUrl, ConfigField::IsEnabled];
        fields.extend(self.webhook_secret.as_ref().map(|_| ConfigField::WebhookSecret));
        fields
    }

    /// Without the slash at its end, so that the same URL is always the same text.
    #[must_use]
    pub fn base_url_text(&self) -> &str {
        self.base_url.as_str().trim_end_matches('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> FromEnvironment {
        FromEnvironment {
            enabled: Some(true),
            api_key: Some("key".into()),
            api_secret: Some("secret".into()),
            base_url: Url::parse("https://erp.example.com/v1/").ok(),
            webhook_secret: None,
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            FromEnvironment::default().complete().err(),
            Some(vec!["FLASHERP_API_KEY", "FLASHERP_API_SECRET", "FLASHERP_BASE_URL"])
        );
        let without_secret = FromEnvironment { api_secret: None, ..whole() };
        assert_eq!(without_secret.complete().err(), Some(vec!["FLASHERP_API_SECRET"]));
    }

    #[test]
    fn it_is_on_only_when_the_environment_says_so() {
        for (enabled, is_enabled) in [(Some(true), true), (Some(false), false), (None, false)] {
            let first = FromEnvironment { enabled, ..whole() }.complete().expect("whole");
            assert_eq!(first.is_enabled, is_enabled);
        }
    }

    #[test]
    fn the_base_url_is_kept_without_the_slash_at_its_end() {
        assert_eq!(whole().complete().expect("whole").base_url_text(), "https://erp.example.com/v1");
    }

    #[test]
    fn the_webhook_secret_may_be_missing() {
        assert_eq!(whole().complete().expect("whole").fields().len(), 4);
        let with = FromEnvironment { webhook_secret: Some("whsec".into()), ..whole() };
        assert!(with.complete().expect("whole").fields().contains(&ConfigField::WebhookSecret));
    }
}
