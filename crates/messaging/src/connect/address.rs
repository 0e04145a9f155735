//! Takes a broker's address apart: servers, user and password.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;
use url::Url;

use super::BrokerConfigError;

/// A broker's address in parts.
pub(super) struct Address {
    pub(super) servers: Vec<ServerAddr>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl Address {
    /// The client does not take user and password from the URL, so they are cut out of it here.
    pub(super) fn parse(text: &str) -> Result<Self, BrokerConfigError> {
        let mut address = Self { servers: Vec::new(), user: None, password: None };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut url: Url = part.parse().map_err(|_| BrokerConfigError::Url)?;
            if !url.has_host() {
                return Err(BrokerConfigError::Url);
            }
            if !url.username().is_empty() {
                address.user = Some(decoded(url.username())?);
                address.password = url.password().map(decoded).transpose()?;
            }
            url.set_username("").map_err(|()| BrokerConfigError::Url)?;
            url.set_password(None).map_err(|()| BrokerConfigError::Url)?;
            address.servers.push(ServerAddr::from_url(url).map_err(|_| BrokerConfigError::Url)?);
        }
        if address.servers.is_empty() { Err(BrokerConfigError::Url) } else { Ok(address) }
    }
}

fn decoded(text: &str) -> Result<String, BrokerConfigError> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| BrokerConfigError::Credentials)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_cut_out_of_the_address_and_decoded() {
        let address = Address::parse("nats://sync-worker:p%40ss%2F@h1:4333, nats://h2").expect("an address");
        assert_eq!(address.user.as_deref(), Some("sync-worker"));
        assert_eq!(address.password.as_deref(), Some("p@ss/"));
        let hosts: Vec<_> = address.servers.iter().map(|server| (server.host().to_owned(), server.port())).collect();
        assert_eq!(hosts, [("h1".to_owned(), 4333), ("h2".to_owned(), 4222)]);
        assert!(address.servers.iter().all(|server| !server.has_user_pass()));
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for text in ["", "secret", "http://a:secret@b", "nats://", ","] {
            let error = Address::parse(text).err().expect("no address");
            assert!(!format!("{error} {error:?}").contains("secret"), "{text}");
        }
    }
}
