//! The boards that come with the program, and those that somebody has written a file for.

use std::path::Path;

use super::profile::Profile;
use crate::toml_reader::Fault;

/// Every board that comes with the program: its name and its file.
const FILES: [(&str, &str); 11] = [
    ("headless", include_str!("../../board/headless.toml")),
    ("desk", include_str!("../../board/desk.toml")),
    (
        "lcd-hat-1in3",
        include_str!("../../board/lcd-hat-1in3.toml"),
    ),
    (
        "lcd-hat-1in44",
        include_str!("../../board/lcd-hat-1in44.toml"),
    ),
    (
        "display-hat-mini",
        include_str!("../../board/display-hat-mini.toml"),
    ),
    (
        "tft-bonnet-1in3",
        include_str!("../../board/tft-bonnet-1in3.toml"),
    ),
    (
        "oled-hat-1in3",
        include_str!("../../board/oled-hat-1in3.toml"),
    ),
    ("oled-0in96", include_str!("../../board/oled-0in96.toml")),
    (
        "epaper-2in13-v3",
        include_str!("../../board/epaper-2in13-v3.toml"),
    ),
    (
        "epaper-2in13-v2",
        include_str!("../../board/epaper-2in13-v2.toml"),
    ),
    ("framebuffer", include_str!("../../board/framebuffer.toml")),
];

/// Why a board has no profile.
#[derive(Debug, thiserror::Error)]
#[error("{}; {}", self.what(), self.remedy())]
pub enum ProfileError {
    /// There is no board of that name.
    Unknown {
        /// As it was asked for.
        name: String,
    },
    /// The file could not be read.
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It was read, and these things are wrong with it.
    Faulty {
        /// Which.
        file: String,
        /// In the order of their lines; never empty.
        faults: Vec<Fault>,
    },
}

impl ProfileError {
    /// What is wrong.
    pub fn what(&self) -> String {
        match self {
            Self::Unknown { name } => format!("there is no board called \"{name}\""),
            Self::Unreadable { file, error } => format!("cannot read the board {file}: {error}"),
            Self::Faulty { file, faults } => {
                let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                format!("the board {file} is faulty: {}", faults.join("; "))
            }
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                let names: Vec<_> = names().collect();
                format!("use one of {}, or a file's path", names.join(", "))
            }
            Self::Unreadable { .. } => "check the path and that this user may read it".into(),
            Self::Faulty { .. } => "compare it with the files in board/".into(),
        }
    }
}

/// The names of the boards that come with the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Finds a board by its name, or reads the file at a path: what has a slash in it or ends in
/// `.toml` is one.
///
/// # Errors
/// When there is none, or its file is faulty.
pub fn profile(name: &str) -> Result<Profile, ProfileError> {
    let faulty = |faults| ProfileError::Faulty {
        file: name.to_owned(),
        faults,
    };
    if let Some((_, text)) = FILES.iter().find(|(known, _)| *known == name) {
        return Profile::parse(text).map_err(faulty);
    }
    if !name.contains('/') && !name.ends_with(".toml") {
        return Err(ProfileError::Unknown { name: name.into() });
    }
    let text =
        std::fs::read_to_string(Path::new(name)).map_err(|error| ProfileError::Unreadable {
            file: name.into(),
            error,
        })?;
    Profile::parse(&text).map_err(faulty)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_board_that_comes_along_can_be_read_and_tells_how_it_is_wired() {
        for name in names() {
            let profile = profile(name).unwrap();
            assert!(profile.wiring.len() > 20, "{name}");
        }
    }

    #[test]
    fn all_faults_of_a_board_are_told_at_once() {
        let text = "title = \"x\"\n\
             [display]\n\
             driver = \"st7789\"\n\
             bus = \"i2c-1\"\n\
             width = 240\n\
             dcc = 25\n\
             [button]\n\
             pull = \"sideways\"\n";
        let told = Profile::parse(text).unwrap_err();
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        let all = told.join("\n");
        for part in [
            "`bus` does not fit",
            "`height` is missing",
            "did you mean `dc`?",
            "`pull` cannot be read",
            "`line` is missing",
        ] {
            assert!(all.contains(part), "{part} is not in:\n{all}");
        }
    }

    #[test]
    fn a_file_is_a_board_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, FILES[2].1).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(profile(path).unwrap(), profile(FILES[2].0).unwrap());
        assert!(matches!(
            profile("/nowhere/mine.toml"),
            Err(ProfileError::Unreadable { .. })
        ));
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_are_known() {
        let error = profile("toaster").unwrap_err().to_string();
        assert!(error.contains("headless, desk, lcd-hat-1in3"), "{error}");
    }
}
