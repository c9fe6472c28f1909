//! What a board lacks on this machine, and how to mend it. It looks and asks; it changes nothing.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::I2c;
use gpiocdev::Chip;
use linux_embedded_hal::I2cdev;

use super::framebuffer::Geometry;
use super::lines;
use super::profile::{Bus, Profile};

/// A command every OLED controller takes and that does nothing: a first byte that announces
/// commands, and NOP.
const NOP: [u8; 2] = [0x00, 0xE3];

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub remedy: String,
}

/// What is looked at.
pub struct Machine {
    /// Where its files begin.
    pub root: PathBuf,
    /// Finds a GPIO chip by its labels.
    pub chip: fn(&[String]) -> io::Result<PathBuf>,
}

impl Machine {
    /// The one this runs on.
    pub fn this() -> Self {
        Self {
            root: "/".into(),
            chip: lines::chip,
        }
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }
}

/// Everything a board lacks; empty when it can be used.
pub fn check(profile: &Profile, machine: &Machine) -> Vec<Lack> {
    let mut lacks = Vec::new();
    bus(profile, machine, &mut lacks);
    let pins = profile.display.pins;
    let display: Vec<u32> = [pins.dc, pins.reset, pins.busy, pins.backlight]
        .into_iter()
        .flatten()
        .collect();
    if !display.is_empty() {
        gpio(
            "the display",
            &profile.display.chips,
            &display,
            machine,
            &mut lacks,
        );
    }
    if let Some(button) = &profile.button {
        let mut wanted = vec![button.line];
        wanted.extend(button.next);
        wanted.extend(button.back);
        gpio("the button", &button.chips, &wanted, machine, &mut lacks);
    }
    lacks
}

fn bus(profile: &Profile, machine: &Machine, lacks: &mut Vec<Lack>) {
    let Some(node) = profile.display.bus.node() else {
        return;
    };
    let mut lack = |what: String, remedy: String| lacks.push(Lack { what, remedy });
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .open(machine.at(&node));
    let shown = node.display();
    match opened {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (what, remedy) = missing(profile, machine);
            return lack(format!("{shown} is not there: {what}"), remedy);
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let group = match profile.display.bus {
                Bus::Spi { .. } => "spi",
                Bus::I2c { .. } => "i2c",
                _ => "video",
            };
            return lack(format!("{shown} may not be used by this user"), join(group));
        }
        Err(error) => {
            let remedy = "end the program that uses it, or start the machine again";
            return lack(format!("{shown} cannot be opened: {error}"), remedy.into());
        }
    }
    match &profile.display.bus {
        Bus::File(device) => {
            let sysfs = machine.at(super::framebuffer::SYSFS);
            if let Err(error) = Geometry::read(&sysfs, device) {
                let remedy = "set a depth of 16, 24 or 32 bits in the display's own overlay";
                lack(error.to_string(), remedy.into());
            }
        }
        Bus::I2c { address, .. } if machine.is_this() => {
            let asked = I2cdev::new(&node)
                .map_err(|error| error.to_string())
                .and_then(|mut i2c| i2c.write(*address, &NOP).map_err(|error| error.to_string()));
            if let Err(error) = asked {
                lack(
                    format!("nobody answers on {shown} at 0x{address:02X}: {error}"),
                    "check the four wires, and with `i2cdetect -y` whether it has another address"
                        .into(),
                );
            }
        }
        _ => {}
    }
}

/// Why a device node is not there: the bus is off, or on and without this device.
fn missing(profile: &Profile, machine: &Machine) -> (String, String) {
    let add = || match profile.config_txt.as_slice() {
        [] => "switch the bus on with raspi-config and start again".to_owned(),
        lines => format!(
            "add to /boot/firmware/config.txt and start again: {}",
            lines.join(", ")
        ),
    };
    match &profile.display.bus {
        Bus::Spi { bus, select, .. } => {
            let on = machine
                .at(format!("/sys/class/spi_master/spi{bus}"))
                .exists();
            match on {
                false => ("the SPI bus is off".into(), add()),
                true => (
                    format!("the SPI bus is on, but nothing is set up as its device {select}"),
                    format!(
                        "another driver may hold it; take its overlay out of config.txt, or {}",
                        add()
                    ),
                ),
            }
        }
        Bus::I2c { bus, .. } => {
            let on = machine
                .at(format!("/sys/bus/i2c/devices/i2c-{bus}"))
                .exists();
            match on {
                false => ("the I2C bus is off".into(), add()),
                true => (
                    "the I2C bus is on, but programs cannot reach it".into(),
                    "run `modprobe i2c-dev`, and write i2c-dev into /etc/modules-load.d/i2c.conf"
                        .into(),
                ),
            }
        }
        Bus::File(_) | Bus::None => (
            "the kernel drives no display".into(),
            "plug the display in before the machine starts, and set its maker's overlay".into(),
        ),
    }
}

fn gpio(whose: &str, chips: &[String], wanted: &[u32], machine: &Machine, lacks: &mut Vec<Lack>) {
    let mut lack = |what: String, remedy: String| lacks.push(Lack { what, remedy });
    let path = match (machine.chip)(chips) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return lack(format!("the pins of {whose}: {error}"), join("gpio"));
        }
        Err(error) => {
            return lack(
                format!("the pins of {whose}: {error}"),
                "on another machine than a Raspberry Pi, copy the board's file and set `chip` to \
                 the label that `gpiodetect` shows"
                    .into(),
            );
        }
    };
    let Ok(chip) = Chip::from_path(&path) else {
        return;
    };
    for line in wanted {
        match chip.line_info(*line) {
            Ok(info) if info.used && info.consumer != lines::CONSUMER => lack(
                format!("line {line} of {whose} is held by \"{}\"", info.consumer),
                "take the overlay or end the program that holds it".into(),
            ),
            Ok(_) => {}
            Err(error) => lack(
                format!("line {line} of {whose}: {error}"),
                "check the line's number in the board's file".into(),
            ),
        }
    }
}

fn join(group: &str) -> String {
    format!("run `sudo usermod -aG {group} $USER`, log in again, or run it as its service does")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::hardware::profile;

    /// A machine with these files, and with a GPIO chip that nobody can open.
    fn machine(files: &[&str]) -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let machine = Machine {
            root: dir.path().to_owned(),
            chip: |_| Ok("/nowhere/gpiochip0".into()),
        };
        (dir, machine)
    }

    fn told(board: &str, machine: &Machine) -> Vec<String> {
        let lacks = check(&profile(board).unwrap(), machine);
        lacks
            .into_iter()
            .map(|lack| format!("{}; {}", lack.what, lack.remedy))
            .collect()
    }

    #[test]
    fn a_bus_that_is_off_is_told_from_one_without_the_device() {
        let (_dir, off) = machine(&[]);
        let told_off = told("lcd-hat-1in3", &off);
        assert!(told_off[0].contains("the SPI bus is off"), "{told_off:?}");
        assert!(told_off[0].contains("dtparam=spi=on"), "{told_off:?}");
        let (_dir, on) = machine(&["sys/class/spi_master/spi0/x", "dev/spidev0.0"]);
        assert_eq!(told("lcd-hat-1in3", &on), [""; 0]);
        let mini = told("display-hat-mini", &on);
        assert!(mini[0].contains("/dev/spidev0.1 is not there"), "{mini:?}");
        assert!(mini[0].contains("no_miso"), "{mini:?}");
    }

    #[test]
    fn an_i2c_bus_that_programs_cannot_reach_is_named() {
        let (_dir, off) = machine(&[]);
        assert!(told("oled-0in96", &off)[0].contains("the I2C bus is off"));
        let (_dir, on) = machine(&["sys/bus/i2c/devices/i2c-1/x"]);
        assert!(told("oled-0in96", &on)[0].contains("modprobe i2c-dev"));
    }

    #[test]
    fn pins_that_are_not_there_or_not_ours_are_named_for_whom_they_are_missing() {
        let (_dir, mut here) = machine(&["dev/spidev0.0"]);
        here.chip = |labels| {
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no GPIO chip is labelled {}", labels.join(" or ")),
            ))
        };
        let missing = told("lcd-hat-1in3", &here);
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing[1].contains("the button") && missing[1].contains("gpiodetect"));
        here.chip = |_| Err(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(told("lcd-hat-1in3", &here)[0].contains("usermod -aG gpio"));
    }

    #[test]
    fn boards_without_parts_lack_nothing() {
        let (_dir, bare) = machine(&[]);
        assert_eq!(told("headless", &bare), [""; 0]);
        assert_eq!(told("desk", &bare), [""; 0]);
    }
}
