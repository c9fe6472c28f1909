//! A disk that loses power. It takes what was done, knows what was synced, and can be asked what
//! might be found afterwards.
//!
//! What is not synced may be there or not, page by page (4 KiB), each page in any state it had
//! since the last sync; a file's length likewise. Names are kept by their directory, in the order
//! they were made, up to some point after its last sync. No file and no directory cares for
//! another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::Path;

use super::recording::Op;

const PAGE: usize = 4096;

type Id = usize;

#[derive(Debug)]
enum Node {
    File(File),
    Dir(Dir),
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Default)]
struct Dir {
    synced: BTreeMap<OsString, Id>,
    since: Vec<Naming>,
    now: BTreeMap<OsString, Id>,
}

/// Of several names in one, all change or none.
type Naming = Vec<(OsString, Option<Id>)>;

/// The disk as the process left it so far.
#[derive(Debug)]
pub struct Disk {
    nodes: Vec<Node>,
    fds: HashMap<i32, Id>,
}

const ROOT: Id = 0;

impl Disk {
    pub fn new() -> Self {
        Self {
            nodes: vec![Node::Dir(Dir::default())],
            fds: HashMap::new(),
        }
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Open { fd, path, truncate } => {
                let id = match self.find(path) {
                    Some(id) => id,
                    None => self.make(path, Node::File(File::default())),
                };
                self.fds.insert(*fd, id);
                if *truncate && let Node::File(file) = &mut self.nodes[id] {
                    file.since.push(Change::Length(0));
                }
            }
            Op::Write { fd, at, data } => {
                // A directory's number may live on as that of something else.
                if let Some(Node::File(file)) = self.node(*fd) {
                    file.since.push(Change::Write {
                        at: *at as usize,
                        data: data.clone(),
                    });
                }
            }
            Op::Truncate { fd, length } => {
                if let Some(Node::File(file)) = self.node(*fd) {
                    file.since.push(Change::Length(*length as usize));
                }
            }
            Op::Sync { fd } => match self.node(*fd) {
                Some(Node::File(file)) => {
                    for change in std::mem::take(&mut file.since) {
                        change.to(&mut file.synced);
                    }
                }
                Some(Node::Dir(dir)) => {
                    dir.since.clear();
                    dir.synced = dir.now.clone();
                }
                None => {}
            },
            Op::MakeDir { path } => {
                self.make(path, Node::Dir(Dir::default()));
            }
            Op::Remove { path } => self.name(path, |name, _| vec![(name, None)]),
            Op::Rename { from, to } => {
                assert_eq!(from.parent(), to.parent(), "not modelled");
                let new = to.file_name().unwrap().to_owned();
                self.name(from, |old, now| {
                    let id = now[&old];
                    vec![(old, None), (new, Some(id))]
                });
            }
            Op::Range | Op::Mark(_) => {}
        }
    }

    fn node(&mut self, fd: i32) -> Option<&mut Node> {
        self.fds.get(&fd).map(|id| &mut self.nodes[*id])
    }

    fn find(&self, path: &Path) -> Option<Id> {
        let mut at = ROOT;
        for name in path {
            match &self.nodes[at] {
                Node::Dir(dir) => at = *dir.now.get(name)?,
                Node::File(_) => return None,
            }
        }
        Some(at)
    }

    fn make(&mut self, path: &Path, node: Node) -> Id {
        if path.as_os_str().is_empty() {
            return ROOT;
        }
        let id = self.nodes.len();
        self.nodes.push(node);
        self.name(path, |name, _| vec![(name, Some(id))]);
        id
    }

    fn name(
        &mut self,
        path: &Path,
        naming: impl FnOnce(OsString, &BTreeMap<OsString, Id>) -> Naming,
    ) {
        let parent = self.find(path.parent().unwrap()).unwrap();
        let Node::Dir(dir) = &mut self.nodes[parent] else {
            panic!("{} is in no directory", path.display());
        };
        let naming = naming(path.file_name().unwrap().to_owned(), &dir.now);
        rename(&mut dir.now, &naming);
        dir.since.push(naming);
    }

    /// Writes to `target` what one might find after a cut now.
    pub fn cut(&self, target: &Path, chance: &mut Chance) {
        self.restore(ROOT, target, chance);
    }

    fn restore(&self, id: Id, target: &Path, chance: &mut Chance) {
        match &self.nodes[id] {
            Node::File(file) => std::fs::write(target, file.after_cut(chance)).unwrap(),
            Node::Dir(dir) => {
                std::fs::create_dir_all(target).unwrap();
                let mut names = dir.synced.clone();
                let kept = chance.below(dir.since.len() + 1);
                for naming in &dir.since[..kept] {
                    rename(&mut names, naming);
                }
                for (name, id) in names {
                    self.restore(id, &target.join(name), chance);
                }
            }
        }
    }
}

impl File {
    fn after_cut(&self, chance: &mut Chance) -> Vec<u8> {
        let keep = match chance.below(4) {
            0 => return self.synced.clone(),
            1 => self.since.len(),
            _ => usize::MAX,
        };
        if keep < usize::MAX || self.since.is_empty() {
            return self.state(self.since.len());
        }
        // Torn: the length of one moment, each page of another.
        let length = self.state(chance.below(self.since.len() + 1)).len();
        let mut found = self.synced.clone();
        found.resize(length, 0);
        let touched: BTreeSet<usize> = self
            .since
            .iter()
            .flat_map(|change| match change {
                Change::Write { at, data } => at / PAGE..(at + data.len()).div_ceil(PAGE),
                Change::Length(_) => 0..0,
            })
            .collect();
        for page in touched {
            let (from, to) = (page * PAGE, (page * PAGE + PAGE).min(length));
            if from >= to {
                continue;
            }
            let moment = chance.below(self.since.len() + 1);
            for change in &self.since[..moment] {
                if let Change::Write { at, data } = change {
                    let (start, end) = (from.max(*at), to.min(at + data.len()));
                    if start < end {
                        found[start..end].copy_from_slice(&data[start - at..end - at]);
                    }
                }
            }
        }
        found
    }

    fn state(&self, moment: usize) -> Vec<u8> {
        let mut state = self.synced.clone();
        for change in &self.since[..moment] {
            change.to(&mut state);
        }
        state
    }
}

impl Change {
    fn to(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, data } => {
                let end = at + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(data);
            }
            Self::Length(length) => content.resize(*length, 0),
        }
    }
}

fn rename(names: &mut BTreeMap<OsString, Id>, naming: &Naming) {
    for (name, id) in naming {
        match id {
            Some(id) => names.insert(name.clone(), *id),
            None => names.remove(name),
        };
    }
}

/// Chance that can be had again: the same seed, the same cut.
#[derive(Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
