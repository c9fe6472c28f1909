//! The calls behind both doors of the simulator, in process and over HTTP. They change the world and
//! read it; what they answer must be true at the moment it is answered.

use std::time::Duration;

use wacore_binary::{Jid, Server};

use super::{Device, Received};
use crate::accounts::Sent;
use crate::counters::Snapshot;
use crate::error::{SimError, refusal};
use crate::shared::Shared;
use crate::socket::SocketId;
use crate::world::World;

/// How long a companion may take to complete a linking, in the service's time; with a passkey, which
/// somebody has to fetch first.
const LINK_WITHIN: Duration = Duration::from_secs(60);
const WITH_PASSKEY: Duration = Duration::from_secs(1_500);

impl Shared {
    pub(crate) fn add_phone(
        &self,
        number: &str,
        name: &str,
        multidevice: bool,
    ) -> Result<String, SimError> {
        self.with(|world| world.add_phone(number, name, multidevice))
            .map(|lid| lid.to_string())
    }

    pub(crate) async fn scan(&self, number: &str, qr: &str) -> Result<u16, SimError> {
        let socket = self.with(|world| world.scan(number, qr))?;
        self.linked(socket, number).await
    }

    pub(crate) async fn enter_code(&self, number: &str, code: &str) -> Result<u16, SimError> {
        let socket = self.with(|world| world.enter_code(number, code))?;
        self.linked(socket, number).await
    }

    /// Waits until the client on a connection is linked.
    async fn linked(&self, socket: SocketId, number: &str) -> Result<u16, SimError> {
        let limit = self.peek(|world| {
            let asked = world.passkeys.contains_key(&socket);
            world.scaled(if asked { WITH_PASSKEY } else { LINK_WITHIN })
        });
        let linked = self.until(|world| {
            if let Some(error) = world.code_failure(number) {
                return Some(Err(error));
            }
            if let Some(device) = world.linked_on.remove(&socket) {
                return Some(Ok(device));
            }
            let Some(registration) = world.registration(socket) else {
                return Some(Err(SimError::NotLinked("it went away".into())));
            };
            if registration.refused {
                return Some(Err(SimError::NotLinked("it refused".into())));
            }
            None
        });
        tokio::time::timeout(limit, linked)
            .await
            .unwrap_or_else(|_| Err(SimError::NotLinked("it did not answer in time".into())))
    }
}

impl World {
    pub(crate) fn devices_of(&self, number: &str) -> Result<Vec<Device>, SimError> {
        let account = &self.accounts[self.account(number)?];
        Ok(account
            .companions
            .iter()
            .map(|(id, companion)| Device {
                id: *id,
                platform: companion.platform.clone(),
                online: companion.socket.is_some(),
            })
            .collect())
    }

    pub(crate) fn send_text(
        &mut self,
        number: &str,
        to: &str,
        text: &str,
        at: Option<u64>,
    ) -> Result<String, SimError> {
        let account = self.account(number)?;
        let to = self.recipient(to)?;
        let (id, stanza) = self
            .with_phone(account, |phone, world| phone.compose_text(&to, text, world))?
            .map_err(refusal)?;
        self.dated = at;
        self.phone_sends(account, vec![stanza]);
        self.dated = None;
        Ok(id)
    }

    /// A number, a LID or a group, as people write it.
    fn recipient(&self, to: &str) -> Result<Jid, SimError> {
        if !to.contains('@') {
            let account = self.account(to)?;
            return Ok(self.accounts[account].jid(Server::Pn, 0));
        }
        let jid: Jid = to
            .parse()
            .map_err(|_| SimError::BadRequest(format!("{to} is no address")))?;
        if jid.server == Server::Group {
            return match self.groups.contains_key(jid.user.as_str()) {
                true => Ok(jid),
                false => Err(SimError::NoSuchGroup),
            };
        }
        self.account_of(&jid).ok_or(SimError::NoSuchPhone)?;
        Ok(jid)
    }

    pub(crate) fn inbox(&mut self, number: &str) -> Result<Vec<Received>, SimError> {
        let account = self.account(number)?;
        self.with_phone(account, |phone, _| {
            phone
                .inbox()
                .iter()
                .map(|entry| Received {
                    id: entry.id.clone(),
                    from: entry.from.to_string(),
                    chat: entry.chat.to_string(),
                    from_me: entry.from_me,
                    text: entry.text.clone(),
                    at: entry.at,
                    deliveries: entry.deliveries,
                })
                .collect()
        })
    }

    pub(crate) fn sent(&self, number: &str, id: &str) -> Result<Sent, SimError> {
        let account = &self.accounts[self.account(number)?];
        account.sent.get(id).cloned().ok_or(SimError::NoSuchMessage)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let queued = self
            .accounts
            .iter()
            .flat_map(|account| account.companions.values())
            .map(|companion| companion.queue.len())
            .sum();
        let mut snapshot = self.counters.snapshot(queued, self.standing());
        for account in &self.accounts {
            let Some(phone) = &account.phone else {
                continue;
            };
            for (name, count) in phone.unknown() {
                *snapshot.unknown.entry(format!("phone:{name}")).or_default() += count;
            }
        }
        snapshot
    }
}
