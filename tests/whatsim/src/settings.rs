//! Settings of an account that live on the server: privacy, blocked contacts, the default timer, the
//! "about" line, trusted-contact tokens. It must keep what a client sets and serve it again.

use sha2::{Digest as _, Sha256};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::accounts::{Account, DeviceId};
use crate::directory::Directory as _;
use crate::iq::Reply;
use crate::stanza::{attr, bytes, children, first, is, jid, leaf};
use crate::world::World;

impl World {
    /// The `privacy` namespace.
    pub(crate) fn privacy(&mut self, from: DeviceId, iq: &Node) -> Reply {
        match first(iq) {
            Some(child) if child.tag == "privacy" => {
                let account = &mut self.accounts[from.account];
                if is(iq, "type", "get") {
                    return Reply::one(privacy_node(account));
                }
                for category in children(child) {
                    if let (Some(name), Some(value)) =
                        (attr(category, "name"), attr(category, "value"))
                    {
                        account.privacy.insert(name, value);
                    }
                }
                Reply::one(privacy_node(account))
            }
            Some(child) if child.tag == "tokens" => self.issue_tokens(from, child),
            Some(_) | None => Reply::Unknown,
        }
    }

    /// A device declares contacts trusted: each is told, with a token to show from now on.
    fn issue_tokens(&mut self, from: DeviceId, tokens: &Node) -> Reply {
        let mut issued = Vec::new();
        for token in children(tokens) {
            let Some(contact) = jid(token, "jid") else {
                return Reply::bad_request();
            };
            let t = attr(token, "t").unwrap_or_else(|| self.now().to_string());
            let text = format!("{}/{}/{t}", self.accounts[from.account].lid, contact.user);
            let secret = Sha256::digest(text.as_bytes());
            let node = |secret: &[u8]| {
                NodeBuilder::new("token")
                    .attr("type", "trusted_contact")
                    .attr("t", t.as_str())
                    .bytes(secret)
            };
            issued.push(node(&secret).attr("jid", contact.clone()).build());
            let Some(account) = self.account_of(&contact) else {
                continue;
            };
            let own = self.accounts[from.account].jid(contact.server, 0);
            let lid = self.accounts[from.account].jid(wacore_binary::Server::Lid, 0);
            let notification = NodeBuilder::new("notification")
                .attr("type", "privacy_token")
                .attr("from", own)
                .attr("sender_lid", lid)
                .attr("id", self.fresh_id())
                .attr("t", self.now())
                .children([NodeBuilder::new("tokens")
                    .children([node(&secret).build()])
                    .build()])
                .build();
            for device in self.accounts[account].devices() {
                self.deliver(DeviceId { account, device }, notification.clone());
            }
        }
        Reply::one(NodeBuilder::new("tokens").children(issued).build())
    }

    /// The `blocklist` namespace.
    pub(crate) fn blocklist(&mut self, from: DeviceId, iq: &Node) -> Reply {
        let account = &mut self.accounts[from.account];
        if is(iq, "type", "set") {
            let Some(item) = iq.get_optional_child("item") else {
                return Reply::bad_request();
            };
            let Some(contact) = jid(item, "jid") else {
                return Reply::bad_request();
            };
            let contact = contact.to_non_ad_string();
            match attr(item, "action").as_deref() {
                Some("block") => account.blocked.insert(contact),
                Some("unblock") => account.blocked.remove(&contact),
                Some(_) | None => return Reply::bad_request(),
            };
        }
        let items: Vec<Node> = account
            .blocked
            .iter()
            .map(|contact| NodeBuilder::new("item").attr("jid", contact).build())
            .collect();
        let dhash: String = Sha256::digest(format!("{:?}", account.blocked).as_bytes())
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Reply::one(
            NodeBuilder::new("list")
                .attr("dhash", dhash)
                .children(items)
                .build(),
        )
    }

    /// The `disappearing_mode` namespace.
    pub(crate) fn disappearing_mode(&mut self, from: DeviceId, iq: &Node) -> Reply {
        let now = self.now();
        let account = &mut self.accounts[from.account];
        if is(iq, "type", "set") {
            let Some(duration) = iq
                .get_optional_child("disappearing_mode")
                .and_then(|mode| attr(mode, "duration"))
                .and_then(|duration| duration.parse().ok())
            else {
                return Reply::bad_request();
            };
            account.disappearing = (duration, now);
        }
        Reply::one(disappearing(account))
    }

    /// The `status` namespace: the "about" line.
    pub(crate) fn about(&mut self, from: DeviceId, iq: &Node) -> Reply {
        let now = self.now();
        let Some(status) = iq.get_optional_child("status") else {
            return Reply::Unknown;
        };
        if is(iq, "type", "set") {
            let text = String::from_utf8_lossy(bytes(status)).into_owned();
            self.accounts[from.account].about = (text, now);
            return Reply::done();
        }
        let users = children(status)
            .iter()
            .filter_map(|user| jid(user, "jid"))
            .filter_map(|who| {
                let account = self.account_of(&who)?;
                let about = about_node(&self.accounts[account], "status");
                Some(
                    NodeBuilder::new("user")
                        .attr("jid", who)
                        .children([about])
                        .build(),
                )
            });
        Reply::one(NodeBuilder::new("status").children(users).build())
    }
}

fn privacy_node(account: &Account) -> Node {
    let categories = account.privacy.iter().map(|(name, value)| {
        NodeBuilder::new("category")
            .attr("name", name)
            .attr("value", value)
            .build()
    });
    NodeBuilder::new("privacy").children(categories).build()
}

/// An account's default disappearing timer.
pub(crate) fn disappearing(account: &Account) -> Node {
    NodeBuilder::new("disappearing_mode")
        .attr("duration", account.disappearing.0)
        .attr("t", account.disappearing.1)
        .build()
}

/// An account's "about" line.
pub(crate) fn about_node(account: &Account, tag: &'static str) -> Node {
    let (text, at) = &account.about;
    let mut node = leaf(tag, text.as_bytes());
    node.attrs.insert("t", *at);
    node
}
