//! Pictures without a display: one screen into a file, or all of them onto sheets for people to
//! look through. What they show is invented; no hardware is touched.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use embedded_graphics::geometry::Size;

use super::usage;
use crate::hardware::{self, Glass};
use crate::panel::{self, Language, Look, sheet};

#[derive(Args)]
pub struct Render {
    /// The screen's name; an unknown one lists them all
    screen: String,
    /// For which display
    #[arg(long, value_name = "NAME", default_value = "headless")]
    board: String,
    /// In which language
    #[arg(long, value_name = "es|en", default_value = "es")]
    language: String,
    /// On glass of another size, in pixels, such as 128x64
    #[arg(long, value_name = "WxH")]
    size: Option<String>,
    /// The PNG to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
pub struct ContactSheet {
    /// For this display alone; without it, for every size of glass
    #[arg(long, value_name = "NAME")]
    board: Option<String>,
    /// In this language alone
    #[arg(long, value_name = "es|en")]
    language: Option<String>,
    /// The folder for the PNGs; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Draws one screen.
pub fn one(args: &Render) -> ExitCode {
    told(draw_one(args))
}

/// Draws every screen.
pub fn all(args: &ContactSheet) -> ExitCode {
    told(draw_all(args))
}

fn told(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => usage(&format!("{error:#}")),
    }
}

fn draw_one(args: &Render) -> anyhow::Result<()> {
    let mut look = Look {
        glass: hardware::glass(&args.board)?,
        language: language(&args.language)?,
    };
    if let Some(size) = &args.size {
        let (width, height) = size
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
            .filter(|(width, height)| (64..=4096).contains(width) && (64..=4096).contains(height))
            .with_context(|| format!("\"{size}\" is no size; write something like 240x240"))?;
        look.glass.size = Size::new(width, height);
    }
    let frame = panel::render(&args.screen, &look).map_err(anyhow::Error::msg)?;
    let png = frame.png().context("encoding the picture")?;
    std::fs::write(&args.out, png).with_context(|| format!("cannot write {}", args.out.display()))
}

fn draw_all(args: &ContactSheet) -> anyhow::Result<()> {
    let glass: Option<Glass> = args.board.as_deref().map(hardware::glass).transpose()?;
    let only: Option<Language> = args.language.as_deref().map(language).transpose()?;
    let looks = match glass {
        Some(glass) => Language::ALL
            .map(|language| Look { glass, language })
            .into(),
        None => sheet::looks().collect::<Vec<_>>(),
    };
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the folder {}", args.out.display()))?;
    for look in looks {
        if only.is_some_and(|only| only != look.language) {
            continue;
        }
        let file = sheet::name(&look).replace(' ', "-") + ".png";
        let file = args.out.join(file);
        let png = sheet::screens(&look).png().context("encoding a sheet")?;
        std::fs::write(&file, png).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

fn language(name: &str) -> anyhow::Result<Language> {
    name.parse().map_err(anyhow::Error::msg)
}
