//! App state on the server: collections as lists of patches, in version order. The server cannot read
//! them; it only refuses a patch that was made on an older version. It must never change a patch.

use std::collections::BTreeMap;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, SERVER_JID};

use crate::accounts::DeviceId;
use crate::directory::Directory as _;
use crate::iq::Reply;
use crate::stanza::{attr, bytes, children, leaf};
use crate::world::World;

/// How many patches go into one answer.
const BATCH: usize = 50;

/// The collections of one account: patches by name, the first having version 1.
#[derive(Debug, Default)]
pub struct Collections(BTreeMap<String, Vec<Vec<u8>>>);

impl Collections {
    /// The collection's version: how many patches made it.
    pub fn version(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |patches| patches.len() as u64)
    }

    /// Replaces a collection by a longer history of it; answers whether anything changed.
    fn extend_to(&mut self, name: &str, patches: Vec<Vec<u8>>) -> bool {
        let grew = patches.len() as u64 > self.version(name);
        if grew {
            self.0.insert(name.into(), patches);
        }
        grew
    }

    fn push(&mut self, name: &str, patch: Vec<u8>) {
        self.0.entry(name.into()).or_default().push(patch);
    }

    fn after(&self, name: &str, version: u64) -> &[Vec<u8>] {
        let from = usize::try_from(version).unwrap_or(usize::MAX);
        self.0
            .get(name)
            .and_then(|patches| patches.get(from..))
            .unwrap_or_default()
    }
}

impl World {
    /// The `w:sync:app:state` namespace.
    pub(crate) fn appstate(&mut self, from: DeviceId, iq: &Node) -> Reply {
        let Some(sync) = iq.get_optional_child("sync") else {
            return Reply::Unknown;
        };
        let mut answers = Vec::new();
        for collection in children(sync) {
            let Some(name) = attr(collection, "name") else {
                return Reply::bad_request();
            };
            answers.push(self.collection(from, collection, &name));
        }
        Reply::one(NodeBuilder::new("sync").children(answers).build())
    }

    fn collection(&mut self, from: DeviceId, asked: &Node, name: &str) -> Node {
        let version = attr(asked, "version")
            .and_then(|version| version.parse().ok())
            .unwrap_or(0);
        let current = self.accounts[from.account].collections.version(name);
        let answer = NodeBuilder::new("collection").attr("name", name);
        let Some(patch) = asked.get_optional_child("patch").map(bytes) else {
            return self.history(from, name, version);
        };
        let refused = |code: u16, text: &'static str| {
            NodeBuilder::new("error")
                .attr("code", code)
                .attr("text", text)
                .build()
        };
        if version != current {
            let mut conflict = self.history(from, name, version);
            conflict.attrs.insert("type", "error");
            let mut inside = children(&conflict).to_vec();
            inside.push(refused(409, "conflict"));
            conflict.content = Some(wacore_binary::NodeContent::Nodes(inside));
            return conflict;
        }
        // The phone is the one that could read it; it also vets what its companions write.
        let stored = self.with_phone(from.account, |phone, _| phone.absorb_patch(name, patch));
        let Ok(Ok(stored)) = stored else {
            return answer
                .attr("type", "error")
                .attr("version", current)
                .children([refused(400, "bad-request")])
                .build();
        };
        self.accounts[from.account].collections.push(name, stored);
        self.tell_new_version(from, name, current + 1);
        answer.attr("version", current + 1).build()
    }

    fn history(&self, from: DeviceId, name: &str, version: u64) -> Node {
        let collections = &self.accounts[from.account].collections;
        let missing = collections.after(name, version);
        let answer = NodeBuilder::new("collection")
            .attr("name", name)
            .attr("version", collections.version(name))
            .attr("has_more_patches", missing.len() > BATCH);
        if missing.is_empty() {
            return answer.build();
        }
        let patches = missing
            .iter()
            .take(BATCH)
            .map(|patch| leaf("patch", patch.as_slice()));
        let patches = NodeBuilder::new("patches").children(patches).build();
        answer.children([patches]).build()
    }

    /// Stores what the phone added to the account's collections and tells the companions.
    pub(crate) fn store_phone_appstate(&mut self, account: usize) {
        let Ok(collections) = self.with_phone(account, |phone, _| phone.appstate()) else {
            return;
        };
        let phone = DeviceId { account, device: 0 };
        for collection in collections {
            let grew = self.accounts[account]
                .collections
                .extend_to(collection.name, collection.patches);
            if grew {
                self.tell_new_version(phone, collection.name, collection.version);
            }
        }
    }

    fn tell_new_version(&mut self, by: DeviceId, name: &str, version: u64) {
        for sibling in self.siblings(by) {
            if sibling.device == 0 {
                continue;
            }
            let collection = NodeBuilder::new("collection")
                .attr("name", name)
                .attr("version", version)
                .build();
            let notification = NodeBuilder::new("notification")
                .attr("from", SERVER_JID)
                .attr("type", "server_sync")
                .attr("id", self.fresh_id())
                .attr("t", self.now())
                .children([collection])
                .build();
            self.deliver(sibling, notification);
        }
    }
}
