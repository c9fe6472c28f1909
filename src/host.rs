//! What the kernel tells about the board it runs on: how it is connected, and which board it is.
//!
//! Small files are read when somebody asks, and never otherwise: nothing is kept, nothing is
//! watched, nothing is sent. Reading may wait for the radio, so it belongs on a thread that may
//! block. What the kernel does not tell is left out, never guessed.

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Flags of a route, from the kernel's `route.h`: it is usable, and it is not one that refuses.
const UP: u32 = 0x0001;
const REJECT: u32 = 0x0200;
/// `ARPHRD_ETHER` of the kernel's `if_arp.h`.
const ETHERNET: &str = "1";
/// Addresses that are for documentation alone (RFC 5737, RFC 3849): nobody is there.
const NOBODY: [&str; 2] = ["192.0.2.1:9", "[2001:db8::1]:9"];
/// A serial number is sixteen digits on a Raspberry Pi. Longer than this is none.
const SERIAL: usize = 32;

/// How the board is connected: the interface that carries the default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name, such as `wlan0`.
    pub interface: String,
    /// What it is.
    pub kind: Kind,
    /// The board's own address on that way.
    pub address: Option<IpAddr>,
    /// Of Wi-Fi, in dBm; `None` where the driver does not tell it.
    pub signal: Option<i16>,
}

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wireless LAN.
    Wifi,
    /// Ethernet, or what looks like it, such as a phone on USB.
    Cable,
    /// A modem.
    Mobile,
    /// A tunnel, or something else.
    Other,
}

/// The board, as far as the kernel tells.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    own_address: fn(bool) -> Option<IpAddr>,
}

impl Default for Host {
    /// This board.
    fn default() -> Self {
        Self {
            root: "/".into(),
            own_address,
        }
    }
}

impl Host {
    /// The way out, if there is one. Blocks for as long as the files take, which is milliseconds.
    pub fn network(&self) -> Option<Network> {
        let (interface, six) = match self.default_four() {
            Some(interface) => (interface, false),
            None => (self.default_six()?, true),
        };
        let kind = self.kind(&interface);
        let signal = match kind {
            Kind::Wifi => self.signal(&interface),
            _ => None,
        };
        Some(Network {
            address: (self.own_address)(six),
            interface,
            kind,
            signal,
        })
    }

    /// The number that was given to this board when it was made, if it was given one.
    pub fn serial(&self) -> Option<String> {
        let told = [
            "proc/device-tree/serial-number",
            "sys/firmware/devicetree/base/serial-number",
        ];
        let tree = told.iter().find_map(|path| self.read(path));
        // Older kernels, and those without a device tree.
        let told = tree.or_else(|| {
            let text = self.read("proc/cpuinfo")?;
            let mut lines = text.lines();
            let line = lines.find(|line| line.starts_with("Serial"))?;
            Some(line.split_once(':')?.1.to_owned())
        })?;
        let serial = told.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        let meant = serial
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-')
            && (1..=SERIAL).contains(&serial.len())
            && serial.chars().any(|c| c != '0');
        meant.then(|| serial.to_owned())
    }

    /// The interface of the IPv4 default route with the smallest metric. Addresses in this file
    /// are hexadecimal; a route to everywhere has no address and no mask.
    fn default_four(&self) -> Option<String> {
        let text = self.read("proc/net/route")?;
        let routes = text.lines().skip(1).filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [interface, to, _, flags, _, _, metric, mask, ..] = *fields.as_slice() else {
                return None;
            };
            let everywhere = to == "00000000" && mask == "00000000";
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let metric: u32 = metric.parse().ok()?;
            (everywhere && is_usable(flags)).then(|| (metric, interface.to_owned()))
        });
        routes.min_by_key(|(metric, _)| *metric).map(|(_, of)| of)
    }

    /// The same of IPv6.
    fn default_six(&self) -> Option<String> {
        let text = self.read("proc/net/ipv6_route")?;
        let routes = text.lines().filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [to, bits, _, _, _, metric, _, _, flags, interface] = *fields.as_slice() else {
                return None;
            };
            let everywhere = bits == "00" && to.chars().all(|digit| digit == '0');
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let metric = u32::from_str_radix(metric, 16).ok()?;
            let usable = everywhere && interface != "lo" && is_usable(flags);
            usable.then(|| (metric, interface.to_owned()))
        });
        routes.min_by_key(|(metric, _)| *metric).map(|(_, of)| of)
    }

    fn kind(&self, interface: &str) -> Kind {
        let about = Path::new("sys/class/net").join(interface);
        let has = |what: &str| self.root.join(&about).join(what).exists();
        let told = |what: &str| self.read(about.join(what)).unwrap_or_default();
        let device = told("uevent");
        let device = device
            .lines()
            .find_map(|line| line.strip_prefix("DEVTYPE="));
        match device {
            Some("wlan") => Kind::Wifi,
            Some("wwan") => Kind::Mobile,
            _ if has("phy80211") || has("wireless") => Kind::Wifi,
            _ if interface.starts_with("ppp") || interface.starts_with("wwan") => Kind::Mobile,
            _ if told("type").trim() == ETHERNET => Kind::Cable,
            _ => Kind::Other,
        }
    }

    /// What the driver measures. The file is the old one of the wireless extensions: a kernel
    /// without them does not have it, and a driver that counts otherwise than in dBm is left out.
    fn signal(&self, interface: &str) -> Option<i16> {
        let text = self.read("proc/net/wireless")?;
        let line = text
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
        let level = line.split_whitespace().nth(2)?;
        let level: i16 = level.trim_end_matches('.').parse().ok()?;
        (-120..0).contains(&level).then_some(level)
    }

    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }
}

fn is_usable(flags: u32) -> bool {
    flags & UP != 0 && flags & REJECT == 0
}

/// The address the kernel would write on a packet to somewhere far: connecting a datagram socket
/// asks for the way and sends nothing.
fn own_address(six: bool) -> Option<IpAddr> {
    let (any, nobody) = match six {
        false => ("0.0.0.0:0", NOBODY[0]),
        true => ("[::]:0", NOBODY[1]),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(nobody).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified()).then_some(own)
}
