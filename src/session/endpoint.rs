//! Where the service is. Checked once, so that nothing after it can talk in clear to anybody but
//! a simulator on the same machine.

use std::fmt;

use url::{Host, Url};

/// The service's chat endpoint, a WebSocket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    host: String,
    port: u16,
    secure: bool,
    loopback: bool,
}

/// Why an address cannot be the service's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is no address at all.
    #[error("the endpoint is not a URL: {0}")]
    NotAUrl(#[from] url::ParseError),
    /// It is not a WebSocket address.
    #[error("the endpoint must begin with wss://, or with ws:// on this machine")]
    NotAWebSocket,
    /// It is in clear and not on this machine.
    #[error("ws:// is for this machine only; use wss://")]
    InClear,
}

impl Endpoint {
    /// The real service.
    pub const SERVICE: &str = "wss://web.whatsapp.com/ws/chat";

    /// Takes an address apart.
    ///
    /// # Errors
    /// When it is not one this program may connect to.
    pub fn new(address: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(address)?;
        let secure = match url.scheme() {
            "wss" => true,
            "ws" => false,
            _ => return Err(EndpointError::NotAWebSocket),
        };
        let (host, loopback) = match url.host() {
            Some(Host::Domain(name)) => (name.to_owned(), name == "localhost"),
            Some(Host::Ipv4(address)) => (address.to_string(), address.is_loopback()),
            Some(Host::Ipv6(address)) => (address.to_string(), address.is_loopback()),
            None => return Err(EndpointError::NotAWebSocket),
        };
        if !secure && !loopback {
            return Err(EndpointError::InClear);
        }
        let port = url
            .port_or_known_default()
            .ok_or(EndpointError::NotAWebSocket)?;
        Ok(Self {
            url,
            host,
            port,
            secure,
            loopback,
        })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host's name or number, as a resolver and a certificate know it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The connection is to be wrapped in TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// For the tests of what is done for the real service only.
    #[cfg(test)]
    pub(super) fn pretend_remote(&mut self) {
        self.loopback = false;
    }

    /// The endpoint is a simulator on this machine, and nothing may leave the machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_real_service_is_secure_and_elsewhere() {
        let service = Endpoint::new(Endpoint::SERVICE).unwrap();
        assert!(service.is_secure() && !service.is_loopback());
        assert_eq!((service.host(), service.port()), ("web.whatsapp.com", 443));
    }

    #[test]
    fn nothing_but_this_machine_is_spoken_to_in_clear() {
        for here in ["ws://127.0.0.1:9/ws", "ws://localhost:9", "ws://[::1]:9/"] {
            let endpoint = Endpoint::new(here).unwrap();
            assert!(endpoint.is_loopback() && !endpoint.is_secure(), "{here}");
        }
        for there in ["ws://192.0.2.1/ws", "ws://web.whatsapp.com/ws/chat"] {
            assert_eq!(Endpoint::new(there), Err(EndpointError::InClear));
        }
        for other in ["https://web.whatsapp.com", "unix:/run/x"] {
            assert_eq!(Endpoint::new(other), Err(EndpointError::NotAWebSocket));
        }
        assert!(matches!(
            Endpoint::new("web.whatsapp.com"),
            Err(EndpointError::NotAUrl(_))
        ));
    }
}
