//! Queries of logged-in devices: which subject answers which namespace. It must answer each iq exactly
//! once, and count what no subject knows.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::accounts::DeviceId;
use crate::stanza::{self, attr, is};
use crate::world::World;

/// What a subject answers.
#[derive(Debug)]
pub enum Reply {
    /// Success, with these children.
    Result(Vec<Node>),
    /// Refusal: a code and its text.
    Error(u16, &'static str),
    /// The subject does not know this query.
    Unknown,
}

impl Reply {
    /// Success with one child.
    pub fn one(child: Node) -> Self {
        Self::Result(vec![child])
    }

    /// Success without content.
    pub fn done() -> Self {
        Self::Result(Vec::new())
    }

    /// The query is malformed.
    pub fn bad_request() -> Self {
        Self::Error(400, "bad-request")
    }
}

impl World {
    /// Answers an iq of a logged-in device.
    pub(crate) fn iq(&mut self, from: DeviceId, iq: &Node) {
        if is(iq, "type", "result") || is(iq, "type", "error") {
            return;
        }
        let id = attr(iq, "id").unwrap_or_default();
        let space = attr(iq, "xmlns").unwrap_or_default();
        let reply = match space.as_str() {
            "w:p" | "urn:xmpp:ping" => Reply::done(),
            "passive" => Reply::done(),
            "encrypt" => self.encrypt(from, iq),
            "usync" => self.usync(from, iq),
            "w:sync:app:state" => self.appstate(from, iq),
            "w:g2" => self.group_query(from, iq),
            "privacy" => self.privacy(from, iq),
            "blocklist" => self.blocklist(from, iq),
            "disappearing_mode" => self.disappearing_mode(from, iq),
            "status" => self.about(from, iq),
            "abt" => Self::props(iq),
            "urn:xmpp:whatsapp:dirty" => Self::clean(iq),
            "w:profile:picture" => Self::picture(iq),
            "w:biz" => Self::business(iq),
            "w:stats" => Self::statistics(iq),
            "md" => return self.devices_query(from, iq, &id),
            _ => Reply::Unknown,
        };
        self.answer(from, iq, &id, reply);
        if space == "passive" && iq.get_optional_child("active").is_some() {
            self.activate(from);
        }
    }

    fn answer(&mut self, to: DeviceId, iq: &Node, id: &str, reply: Reply) {
        let answer = match reply {
            Reply::Result(children) => stanza::result(id, children),
            Reply::Error(code, text) => stanza::error(id, code, text),
            Reply::Unknown => {
                self.unknown(iq);
                stanza::error(id, 501, "feature-not-implemented")
            }
        };
        self.deliver(to, answer);
    }

    /// The `md` namespace: a device leaves, or removes another one of its account.
    fn devices_query(&mut self, from: DeviceId, iq: &Node, id: &str) {
        let Some(remove) = iq.get_optional_child("remove-companion-device") else {
            return self.answer(from, iq, id, Reply::Unknown);
        };
        let number = self.accounts[from.account].number.clone();
        let target = stanza::jid(remove, "jid")
            .filter(|jid| self.account_of(jid) == Some(from.account))
            .map_or(from.device, |jid| jid.device);
        self.answer(from, iq, id, Reply::done());
        if self.remove_device(&number, target).is_err() {
            tracing::debug!(target, "asked to remove a device that is not linked");
        }
    }

    /// Experiments: none runs here.
    fn props(iq: &Node) -> Reply {
        let Some(props) = iq.get_optional_child("props") else {
            return Reply::Unknown;
        };
        let protocol = attr(props, "protocol").unwrap_or_else(|| "1".into());
        Reply::one(
            NodeBuilder::new("props")
                .attr("protocol", protocol)
                .attr("ab_key", "sim")
                .attr("hash", "sim")
                .attr("refresh", 86_400)
                .attr("refresh_id", 1)
                .build(),
        )
    }

    /// Dirty bits are only ever cleared: this server sets none.
    fn clean(iq: &Node) -> Reply {
        match iq.get_optional_child("clean") {
            Some(_) => Reply::done(),
            None => Reply::Unknown,
        }
    }

    /// Nobody here has a picture.
    fn picture(iq: &Node) -> Reply {
        if is(iq, "type", "get") {
            Reply::Error(404, "item-not-found")
        } else {
            Reply::Unknown
        }
    }

    /// Nobody here is a business.
    fn business(iq: &Node) -> Reply {
        match iq.get_optional_child("business_profile") {
            Some(_) if is(iq, "type", "get") => Reply::one(stanza::empty("business_profile")),
            Some(_) | None => Reply::Unknown,
        }
    }

    /// Telemetry is taken and not kept.
    fn statistics(iq: &Node) -> Reply {
        match iq.get_optional_child("add") {
            Some(_) => Reply::done(),
            None => Reply::Unknown,
        }
    }
}
