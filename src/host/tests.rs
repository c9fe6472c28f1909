//! Boards as their kernels describe them, in a folder.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::Ipv4Addr;

use super::*;

const ROUTES: &str =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const ETHERNET_WAY: &str = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
const WIFI_WAY: &str = "wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n";
const NEIGHBOURS: &str = "wlan0\t0000A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n";
const WIRELESS: &str = "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n \
     face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n \
     wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0\n";

struct Board(tempfile::TempDir);

impl Board {
    fn with(files: &[(&str, &str)]) -> Self {
        let board = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = board.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        board
    }

    fn host(&self) -> Host {
        Host {
            root: self.0.path().into(),
            own_address: |six| match six {
                false => Some(Ipv4Addr::new(192, 168, 0, 20).into()),
                true => Some("2001:db8:7::20".parse().unwrap()),
            },
        }
    }
}

#[test]
fn wi_fi_has_an_address_and_a_signal() {
    let routes = format!("{ROUTES}{NEIGHBOURS}{WIFI_WAY}");
    let board = Board::with(&[
        ("proc/net/route", &routes),
        ("proc/net/wireless", WIRELESS),
        ("sys/class/net/wlan0/type", "1\n"),
        (
            "sys/class/net/wlan0/uevent",
            "DEVTYPE=wlan\nINTERFACE=wlan0\n",
        ),
    ]);
    let network = board.host().network().unwrap();
    assert_eq!(
        (network.interface.as_str(), network.kind),
        ("wlan0", Kind::Wifi)
    );
    assert_eq!(network.signal, Some(-56));
    assert_eq!(network.address.unwrap().to_string(), "192.168.0.20");
}

#[test]
fn of_two_ways_the_one_that_is_used_is_told() {
    let routes = format!("{ROUTES}{WIFI_WAY}{ETHERNET_WAY}{NEIGHBOURS}");
    let board = Board::with(&[
        ("proc/net/route", &routes),
        ("proc/net/wireless", WIRELESS),
        ("sys/class/net/eth0/type", "1\n"),
    ]);
    let network = board.host().network().unwrap();
    assert_eq!(
        (network.interface.as_str(), network.kind),
        ("eth0", Kind::Cable)
    );
    assert_eq!(network.signal, None);
}

#[test]
fn without_a_way_out_there_is_no_network() {
    let refused = "lo\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n";
    let routes = format!("{ROUTES}{NEIGHBOURS}{refused}");
    let board = Board::with(&[("proc/net/route", &routes)]);
    assert_eq!(board.host().network(), None);
    assert_eq!(Board::with(&[]).host().network(), None);
}

#[test]
fn a_way_that_only_ipv6_knows_counts() {
    let zeros = "0".repeat(32);
    let refused = format!("{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200 lo\n");
    let way = format!(
        "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 0 0 00000003 ppp0\n"
    );
    let routes = refused + &way;
    let board = Board::with(&[("proc/net/route", ROUTES), ("proc/net/ipv6_route", &routes)]);
    let network = board.host().network().unwrap();
    assert_eq!(
        (network.interface.as_str(), network.kind),
        ("ppp0", Kind::Mobile)
    );
    assert_eq!(network.address.unwrap().to_string(), "2001:db8:7::20");
}

#[test]
fn a_signal_that_is_not_told_in_dbm_is_left_out() {
    let strange = WIRELESS.replace("-56.", "200.");
    let routes = format!("{ROUTES}{WIFI_WAY}");
    let board = Board::with(&[
        ("proc/net/route", &routes),
        ("proc/net/wireless", &strange),
        ("sys/class/net/wlan0/uevent", "DEVTYPE=wlan\n"),
    ]);
    assert_eq!(board.host().network().unwrap().signal, None);
}

#[test]
fn a_board_has_the_serial_its_maker_gave_it_or_none() {
    let serial = |files: &[(&str, &str)]| Board::with(files).host().serial();
    let tree = ("proc/device-tree/serial-number", "10000000a1b2c3d4\0");
    let cpu = (
        "proc/cpuinfo",
        "processor\t: 0\nSerial\t\t: 00000000a1b2c3d4\n",
    );
    assert_eq!(serial(&[tree, cpu]).unwrap(), "10000000a1b2c3d4");
    assert_eq!(serial(&[cpu]).unwrap(), "00000000a1b2c3d4");
    assert_eq!(serial(&[]), None);
    assert_eq!(
        serial(&[("proc/cpuinfo", "Serial\t\t: 0000000000000000\n")]),
        None
    );
    assert_eq!(
        serial(&[("proc/cpuinfo", "model name\t: something\n")]),
        None
    );
}

#[test]
fn this_machine_can_be_asked_and_nothing_goes_wrong() {
    let host = Host::default();
    if let Some(network) = host.network() {
        assert!(!network.interface.is_empty());
    }
    host.serial();
}
