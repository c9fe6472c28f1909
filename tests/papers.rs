//! Writes what a package carries beside the program: the manual page, the shells' completions, the
//! notices of everything that is linked, and the bill of materials (CycloneDX 1.5).
//!
//!     cargo run --example papers -- TARGET FOLDER
//!
//! All of it comes from the command line's own definition, from cargo and from the sources of the
//! crates, so none of it can go stale; and nothing in it depends on when or where it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use clap_complete::Shell;
use serde_json::{Value, json};

fn main() -> ExitCode {
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("papers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn make() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().context("for which target?")?;
    let folder = PathBuf::from(arguments.next().context("into which folder?")?);
    fs::create_dir_all(folder.join("completions"))?;
    fs::create_dir_all(folder.join("man"))?;
    fs::write(folder.join("man/vinculo.1"), manual()?)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut command = vinculo::cli::command();
        clap_complete::generate_to(shell, &mut command, "vinculo", folder.join("completions"))?;
    }
    let linked = linked(&target)?;
    fs::write(folder.join("copyright"), copyright(&linked, &target)?)?;
    let bill = serde_json::to_string_pretty(&bill(&linked, &target)?)?;
    fs::write(folder.join("sbom.cdx.json"), bill + "\n")?;
    println!("{}: {} crates are linked", target, linked.len());
    Ok(())
}

/// What the command line cannot know of itself, in roff.
const MORE: &str = r#".SH FILES
.TP
.I /etc/vinculo/vinculo.toml
The configuration of the service. /usr/share/doc/vinculo/examples/vinculo.toml explains every key.
.TP
.I /var/lib/vinculo
The link and the messages. Never copy it: a link that runs twice is one that WhatsApp takes away.
.SH ENVIRONMENT
.TP
.B VINCULO_LOG
What is logged, such as
.BR vinculo=debug .
.TP
.B STATE_DIRECTORY
Where the link and the messages are kept, unless the configuration says otherwise.
.SH EXIT STATUS
0 after a stop that was asked for, 64 for a command line or a configuration that cannot be used, 69
for a board that lacks something, 70 for a failure while running.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
"#;

/// One page: the program, then each of its commands.
fn manual() -> anyhow::Result<Vec<u8>> {
    let mut command = vinculo::cli::command();
    command.build();
    let mut page = Vec::new();
    let whole = clap_mangen::Man::new(command.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        page.extend_from_slice(
            format!(".SS \"vinculo {}\"\n{about}.\n", sub.get_name()).as_bytes(),
        );
        let mut options = Vec::new();
        clap_mangen::Man::new(sub.clone()).render_options_section(&mut options)?;
        let options = String::from_utf8(options)?;
        page.extend_from_slice(options.replace(".SH OPTIONS\n", "").as_bytes());
    }
    page.extend_from_slice(MORE.as_bytes());
    Ok(page)
}

/// A crate whose code is in the binary.
struct Linked {
    name: String,
    version: String,
    licence: String,
    authors: String,
    folder: PathBuf,
    id: String,
    checksum: Option<String>,
    needs: Vec<String>,
}

/// What cargo links into the shipped binary: neither development dependencies nor what only runs
/// while building.
fn linked(target: &str) -> anyhow::Result<Vec<Linked>> {
    let tree = cargo(&[
        "tree",
        "--package=vinculo",
        "--edges=normal,no-proc-macro",
        "--prefix=none",
        "--format={p}",
        "--target",
        target,
    ])?;
    let wanted: BTreeSet<(String, String)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            Some((
                name.to_owned(),
                words.next()?.trim_start_matches('v').to_owned(),
            ))
        })
        .collect();
    let metadata: Value = serde_json::from_str(&cargo(&[
        "metadata",
        "--format-version=1",
        "--filter-platform",
        target,
    ])?)?;
    let checksums = checksums()?;
    let mut needs = BTreeMap::new();
    for node in array(&metadata["resolve"]["nodes"]) {
        let on = array(&node["deps"]).map(|dep| text(&dep["pkg"])).collect();
        needs.insert(text(&node["id"]), on);
    }
    let mut linked = Vec::new();
    for package in array(&metadata["packages"]) {
        let key = (text(&package["name"]), text(&package["version"]));
        if key.0 == "vinculo" || !wanted.contains(&key) {
            continue;
        }
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let licence = package["license"].as_str().unwrap_or("see its file");
        linked.push(Linked {
            licence: licence.replace('/', " OR "),
            authors: array(&package["authors"])
                .map(text)
                .collect::<Vec<_>>()
                .join(", "),
            folder: manifest
                .parent()
                .context("a manifest has a folder")?
                .to_owned(),
            needs: needs.remove(&text(&package["id"])).unwrap_or_default(),
            id: text(&package["id"]),
            checksum: checksums.get(&key).cloned(),
            name: key.0,
            version: key.1,
        });
    }
    ensure!(
        linked.len() + 1 == wanted.len(),
        "cargo tree and cargo metadata disagree: {} and {}",
        wanted.len(),
        linked.len() + 1
    );
    linked.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(linked)
}

fn cargo(arguments: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .arg("--locked")
        .output()?;
    ensure!(
        output.status.success(),
        "cargo {}: {}",
        arguments[0],
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The crates' checksums by name and version, from `Cargo.lock`.
fn checksums() -> anyhow::Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = fs::read_to_string("Cargo.lock")?.parse()?;
    let packages = lock["package"]
        .as_array()
        .context("Cargo.lock has packages")?;
    let field = |package: &toml::Value, key: &str| {
        package
            .get(key)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
    };
    Ok(packages
        .iter()
        .filter_map(|package| {
            let key = (field(package, "name")?, field(package, "version")?);
            Some((key, field(package, "checksum")?))
        })
        .collect())
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is linked and comes from no crate.
const BESIDES: &str = "\
The Rust standard library is linked too: Copyright (c) The Rust Project Contributors, MIT OR
Apache-2.0, whose texts stand below.

The screen's letters are Free Universal (SIL Open Font License 1.1), Adobe's Helvetica as distributed
with X11, and X11's 4x6 font, through the crate u8g2-fonts.

The crate wacore-libsignal calls itself MIT, but the Signal code in it carries the notice: Copyright Signal
Messenger, LLC, SPDX-License-Identifier: AGPL-3.0-only.
";

/// Linked into the static file only.
const MUSL: &str = "
This file is linked with musl: Copyright (c) 2005-2020 Rich Felker, et al., under the MIT licence, whose
text stands below.
";

/// The project's licence, the crates with theirs, and every notice they carry, each text once.
fn copyright(linked: &[Linked], target: &str) -> anyhow::Result<String> {
    let mut page = String::from(
        "vinculo is free software under the GNU Affero General Public License, version 3 only, whose\n\
         text is at the end. It contains the crates below, each under its own licence.\n\n",
    );
    page += BESIDES;
    if target.ends_with("musl") {
        page += MUSL;
    }
    page += "\n";
    let mut notices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in linked {
        let named = format!("{} {}", one.name, one.version);
        let found = notices_of(&one.folder)?;
        // Its licence stands below all the same, as others carry it.
        let without = match one.authors.as_str() {
            _ if !found.is_empty() => String::new(),
            "" => " (carries no notice)".to_owned(),
            authors => format!(" (carries no notice; by {authors})"),
        };
        writeln!(page, "    {named}: {}{without}", one.licence)?;
        for notice in found {
            notices.entry(notice).or_default().push(named.clone());
        }
    }
    let mut notices: Vec<_> = notices.into_iter().collect();
    notices.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    for (notice, of) in notices {
        write!(
            page,
            "\n{}\n{}\n\n{notice}\n",
            "-".repeat(80),
            of.join(", ")
        )?;
    }
    let own = fs::read_to_string("LICENSE")?;
    write!(page, "\n{}\nvinculo\n\n{own}", "-".repeat(80))?;
    Ok(page)
}

/// The texts of a crate's licences and notices, without the differences that mean nothing.
fn notices_of(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let known = [
            "LICENSE",
            "LICENCE",
            "COPYING",
            "COPYRIGHT",
            "NOTICE",
            "UNLICENSE",
        ];
        if !known.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let files = if entry.file_type()?.is_dir() {
            fs::read_dir(entry.path())?
                .map(|file| Ok(file?.path()))
                .collect::<anyhow::Result<_>>()?
        } else {
            vec![entry.path()]
        };
        for file in files {
            let text = String::from_utf8_lossy(&fs::read(file)?).replace('\r', "");
            let lines: Vec<_> = text.lines().map(str::trim_end).collect();
            texts.insert(lines.join("\n").trim_matches('\n').to_owned());
        }
    }
    Ok(texts)
}

/// The bill of materials: what is linked, with checksums, licences and who needs whom.
fn bill(linked: &[Linked], target: &str) -> anyhow::Result<Value> {
    let refs: BTreeMap<&str, String> = linked
        .iter()
        .map(|one| {
            (
                one.id.as_str(),
                format!("pkg:cargo/{}@{}", one.name, one.version),
            )
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let own = format!("pkg:cargo/vinculo@{version}");
    let components: Vec<_> = linked
        .iter()
        .map(|one| {
            let mut component = json!({
                "type": "library",
                "bom-ref": refs[one.id.as_str()],
                "name": one.name,
                "version": one.version,
                "scope": "required",
                "licenses": [{ "expression": one.licence }],
                "purl": refs[one.id.as_str()],
            });
            if let Some(checksum) = &one.checksum {
                component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
            }
            component
        })
        .collect();
    let mut dependencies = vec![json!({ "ref": own, "dependsOn": direct(&refs)? })];
    for one in linked {
        let on: BTreeSet<_> = one
            .needs
            .iter()
            .filter_map(|id| refs.get(id.as_str()))
            .collect();
        dependencies.push(json!({ "ref": refs[one.id.as_str()], "dependsOn": on }));
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "vinculo",
                "version": version,
                "licenses": [{ "expression": "AGPL-3.0-only" }],
                "purl": own,
            },
            "properties": [{ "name": "target", "value": target }],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What the program itself names as its dependencies.
fn direct(refs: &BTreeMap<&str, String>) -> anyhow::Result<BTreeSet<String>> {
    let manifest: toml::Table = fs::read_to_string("Cargo.toml")?.parse()?;
    let named = manifest["dependencies"]
        .as_table()
        .context("[dependencies]")?;
    Ok(refs
        .values()
        .filter(|purl| {
            let crate_name = purl.trim_start_matches("pkg:cargo/").split('@').next();
            crate_name.is_some_and(|name| named.contains_key(name))
        })
        .cloned()
        .collect())
}
