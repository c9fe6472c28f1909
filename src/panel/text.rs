//! Every word on the glass, in both languages. A text is a field: a language that lacks one does
//! not compile. `{}` stands for the one value a text may carry. Longer than 400 lines because both
//! languages stand side by side, and a translator needs no other file.

/// The languages the screen speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Español.
    #[default]
    Es,
    /// English.
    En,
}

impl std::str::FromStr for Language {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "es" => Ok(Self::Es),
            "en" => Ok(Self::En),
            other => Err(format!("unknown language {other:?}; write es or en")),
        }
    }
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Es, Self::En];

    /// As the configuration writes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Es => "es",
            Self::En => "en",
        }
    }

    /// Its words.
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::Es => &ES,
            Self::En => &EN,
        }
    }
}

/// A heading, what it means, and what a press does, where a press does something.
#[derive(Clone, Copy, Debug)]
pub struct Says {
    /// One to three words.
    pub head: &'static str,
    /// One sentence or two; may be empty.
    pub body: &'static str,
    /// May be empty.
    pub hint: &'static str,
}

const fn says(head: &'static str, body: &'static str, hint: &'static str) -> Says {
    Says { head, body, hint }
}

/// All texts of one language.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "each field is named after the screen or label it is written on"
)]
pub struct Texts {
    pub starting: Says,
    pub waiting_network: Says,
    pub waiting_time: Says,
    pub connecting: Says,
    pub connecting_again: Says,
    pub preparing: Says,
    pub pairing_code: Says,
    pub not_multidevice: Says,
    pub passkey_wanted: Says,
    pub passkey_checking: Says,
    pub passkey_code: Says,
    pub passkey_refused: Says,
    pub passkey_late: Says,
    pub refused: Says,
    pub expired: Says,
    pub phone_full: Says,
    pub too_small: Says,
    pub resting: Says,
    pub conflict: Says,
    pub conflict_until: &'static str,
    pub unlinked: Says,
    pub unlinked_untold: Says,
    pub happened_at: &'static str,
    pub locked: Says,
    pub banned: Says,
    pub banned_until: &'static str,
    pub outdated: Says,
    pub rate_limited: Says,
    pub rate_limited_until: &'static str,
    pub stopped_refused: Says,
    pub stopped_marked: Says,
    pub stopped_production: Says,
    pub hold: Says,
    pub resetting: Says,
    pub stuck: Says,
    pub card_full: Says,
    pub card_fault: Says,
    pub online: &'static str,
    pub listens: &'static str,
    pub no_messages: &'static str,
    pub today: &'static str,
    pub received: &'static str,
    pub answered: &'static str,
    pub received_today: &'static str,
    pub answered_today: &'static str,
    pub no_day: &'static str,
    pub pending: &'static str,
    pub failed: &'static str,
    pub scan: &'static str,
    pub scan_where: &'static str,
    pub maybe_full: &'static str,
    pub status: &'static str,
    pub messages: &'static str,
    pub network: &'static str,
    pub events: &'static str,
    pub about: &'static str,
    pub state: &'static str,
    pub number: &'static str,
    pub name: &'static str,
    pub since: &'static str,
    pub devices: &'static str,
    pub taken: &'static str,
    pub last: &'static str,
    pub connection: &'static str,
    pub no_network: &'static str,
    pub wifi: &'static str,
    pub cable: &'static str,
    pub mobile: &'static str,
    pub other_way: &'static str,
    pub address: &'static str,
    pub signal: &'static str,
    pub signal_good: &'static str,
    pub signal_fair: &'static str,
    pub signal_weak: &'static str,
    pub untold: &'static str,
    pub version: &'static str,
    pub board: &'static str,
    pub serial: &'static str,
    pub licence: &'static str,
    pub store_set_aside: &'static str,
    pub sending_limited: &'static str,
    pub phone_unseen: &'static str,
}

static ES: Texts = Texts {
    starting: says("Iniciando", "Un momento, por favor.", ""),
    waiting_network: says(
        "Sin internet",
        "Revise el cable o el wifi. Se reintenta solo.",
        "",
    ),
    waiting_time: says(
        "Ajustando la hora",
        "El reloj se pone en hora por internet. Espere un momento.",
        "",
    ),
    connecting: says("Conectando", "Entrando a WhatsApp.", ""),
    connecting_again: says(
        "Conectando",
        "WhatsApp todavía no contesta. Se reintenta solo.",
        "",
    ),
    preparing: says(
        "Ya casi",
        "En el teléfono: WhatsApp, Dispositivos vinculados.",
        "",
    ),
    pairing_code: says(
        "Escriba este código",
        "WhatsApp, Dispositivos vinculados, Vincular con número.",
        "",
    ),
    not_multidevice: says(
        "Actualice WhatsApp",
        "Ese teléfono no acepta dispositivos vinculados.",
        "Pulse: otro código",
    ),
    passkey_wanted: says(
        "Falta clave de acceso",
        "La entrega quien instaló este equipo.",
        "Pulse: otro código",
    ),
    passkey_checking: says("Vinculando", "Deje WhatsApp abierto en el teléfono.", ""),
    passkey_code: says("¿Son iguales?", "Si es igual en el teléfono, pulse.", ""),
    passkey_refused: says(
        "Clave rechazada",
        "WhatsApp no aceptó la clave de acceso.",
        "Pulse: otro código",
    ),
    passkey_late: says(
        "Se acabó el tiempo",
        "La clave de acceso no llegó en diez minutos.",
        "Pulse: otro código",
    ),
    refused: says(
        "No se vinculó",
        "WhatsApp lo rechazó. Intente de nuevo.",
        "Pulse: otro código",
    ),
    expired: says(
        "Código vencido",
        "Viene uno nuevo en un momento.",
        "Pulse: otro código",
    ),
    phone_full: says(
        "¿Teléfono lleno?",
        "Si ya tiene 4 dispositivos, quite uno.",
        "Pulse: otro código",
    ),
    too_small: says(
        "El QR no cabe",
        "Ponga su número en la configuración para vincular con un código.",
        "",
    ),
    resting: says(
        "Pulse el botón",
        "para vincular. Si el teléfono ya tiene 4 dispositivos, quite uno.",
        "",
    ),
    conflict: says(
        "Abierto en otra parte",
        "Otro equipo usa este vínculo.",
        "Pulse: usarlo aquí",
    ),
    conflict_until: "Lo usa otro equipo. Se retoma: {}.",
    unlinked: says(
        "Desvinculado",
        "Lo quitaron desde el teléfono.",
        "Pulse: vincular",
    ),
    unlinked_untold: says(
        "Desvinculado",
        "WhatsApp ya no lo acepta.",
        "Pulse: vincular",
    ),
    happened_at: "({})",
    locked: says(
        "Cuenta bloqueada",
        "Mire en el teléfono qué dice WhatsApp.",
        "Pulse: reintentar",
    ),
    banned: says(
        "Cuenta suspendida",
        "WhatsApp suspendió este número por un tiempo.",
        "",
    ),
    banned_until: "WhatsApp suspendió este número hasta {}.",
    outdated: says(
        "Falta actualizar",
        "WhatsApp pide una versión más nueva de este equipo.",
        "",
    ),
    rate_limited: says(
        "En pausa",
        "WhatsApp pidió esperar. Sigue solo en un rato.",
        "",
    ),
    rate_limited_until: "WhatsApp pidió esperar. Sigue solo: {}.",
    stopped_refused: says(
        "Detenido",
        "WhatsApp rechazó este equipo (código {}).",
        "Pulse: reintentar",
    ),
    stopped_marked: says(
        "Detenido",
        "Estos datos son de una prueba. Borre la carpeta de datos.",
        "",
    ),
    stopped_production: says(
        "No permitido",
        "Ese número es solo para producción.",
        "Pulse: otro número",
    ),
    hold: says("Desvincular", "Suelte para cancelar", ""),
    resetting: says(
        "Borrando todo",
        "Se desvincula y empieza de nuevo. No lo apague.",
        "",
    ),
    stuck: says(
        "Botón hundido",
        "Estaba hundido al encender. Suéltelo para poder usarlo.",
        "",
    ),
    card_full: says(
        "Tarjeta llena",
        "Libere espacio o ponga una más grande. Sigue solo.",
        "",
    ),
    card_fault: says(
        "Falla la tarjeta",
        "No se puede leer o escribir en ella. Se reintenta solo.",
        "",
    ),
    online: "En línea",
    listens: "Responde el otro equipo",
    no_messages: "Sin mensajes todavía",
    today: "Hoy",
    received: "recibidos",
    answered: "respondidos",
    received_today: "Recibidos hoy",
    answered_today: "Respondidos hoy",
    no_day: "sin fecha",
    pending: "Por enviar",
    failed: "Fallidos",
    scan: "Escanee con WhatsApp",
    scan_where: "Dispositivos vinculados",
    maybe_full: "¿Ya tiene 4 equipos? Quite uno.",
    status: "Estado",
    messages: "Mensajes",
    network: "Red",
    events: "Historial",
    about: "Acerca de",
    state: "Vínculo",
    number: "Número",
    name: "Nombre",
    since: "Desde",
    devices: "Equipos",
    taken: "{} de 4",
    last: "Último",
    connection: "Conexión",
    no_network: "Sin red",
    wifi: "Wi-Fi ({})",
    cable: "Cable ({})",
    mobile: "Módem ({})",
    other_way: "Otra ({})",
    address: "Dirección",
    signal: "Señal",
    signal_good: "Buena ({} dBm)",
    signal_fair: "Regular ({} dBm)",
    signal_weak: "Débil ({} dBm)",
    untold: "No se sabe",
    version: "Versión",
    board: "Placa",
    serial: "Serie",
    licence: "Licencia",
    store_set_aside: "Archivo dañado apartado",
    sending_limited: "WhatsApp limita envíos",
    phone_unseen: "Abra WhatsApp en el teléfono",
};

static EN: Texts = Texts {
    starting: says("Starting", "One moment, please.", ""),
    waiting_network: says(
        "No internet",
        "Check the cable or the Wi-Fi. It tries again by itself.",
        "",
    ),
    waiting_time: says(
        "Setting the clock",
        "The time comes from the internet. One moment.",
        "",
    ),
    connecting: says("Connecting", "Logging in to WhatsApp.", ""),
    connecting_again: says(
        "Connecting",
        "WhatsApp does not answer yet. It tries again by itself.",
        "",
    ),
    preparing: says(
        "Almost there",
        "On the phone: WhatsApp, Linked devices.",
        "",
    ),
    pairing_code: says(
        "Type this code",
        "WhatsApp, Linked devices, Link with phone number.",
        "",
    ),
    not_multidevice: says(
        "Update WhatsApp",
        "That phone does not take linked devices.",
        "Press: new code",
    ),
    passkey_wanted: says(
        "Passkey wanted",
        "Whoever installed this box hands it in.",
        "Press: new code",
    ),
    passkey_checking: says("Linking", "Keep WhatsApp open on the phone.", ""),
    passkey_code: says("The same code?", "If the phone shows it too, press.", ""),
    passkey_refused: says(
        "Passkey refused",
        "WhatsApp did not accept the passkey.",
        "Press: new code",
    ),
    passkey_late: says(
        "Time is up",
        "The passkey did not come within ten minutes.",
        "Press: new code",
    ),
    refused: says(
        "Not linked",
        "WhatsApp refused. Please try again.",
        "Press: new code",
    ),
    expired: says(
        "Code expired",
        "A new one is coming in a moment.",
        "Press: new code",
    ),
    phone_full: says(
        "Phone full?",
        "If it has 4 linked devices, remove one.",
        "Press: new code",
    ),
    too_small: says(
        "QR does not fit",
        "Put your number in the configuration to link with a code.",
        "",
    ),
    resting: says(
        "Press the button",
        "to link. If the phone already has 4 devices, remove one.",
        "",
    ),
    conflict: says(
        "Open elsewhere",
        "Another machine uses this link.",
        "Press: use it here",
    ),
    conflict_until: "Another box uses it. Back at {}.",
    unlinked: says("Unlinked", "Removed on the phone.", "Press: link"),
    unlinked_untold: says("Unlinked", "WhatsApp ended the link.", "Press: link"),
    happened_at: "({})",
    locked: says(
        "Account locked",
        "See what WhatsApp says on the phone.",
        "Press: try again",
    ),
    banned: says(
        "Account suspended",
        "WhatsApp suspended this number for a while.",
        "",
    ),
    banned_until: "WhatsApp suspended this number until {}.",
    outdated: says(
        "Update needed",
        "WhatsApp wants a newer version of this box.",
        "",
    ),
    rate_limited: says(
        "Paused",
        "WhatsApp asked to wait. It goes on by itself.",
        "",
    ),
    rate_limited_until: "WhatsApp asked to wait. It goes on at {}.",
    stopped_refused: says(
        "Stopped",
        "WhatsApp refused this box (code {}).",
        "Press: try again",
    ),
    stopped_marked: says(
        "Stopped",
        "This data belongs to a test. Delete the data directory.",
        "",
    ),
    stopped_production: says(
        "Not allowed",
        "That number is for production only.",
        "Press: other number",
    ),
    hold: says("Unlink", "Let go to cancel", ""),
    resetting: says(
        "Erasing",
        "It unlinks and starts afresh. Keep it plugged in.",
        "",
    ),
    stuck: says(
        "Button stuck",
        "It was down at power-on. Let go of it to use it.",
        "",
    ),
    card_full: says(
        "Card full",
        "Make room or use a larger one. It goes on by itself.",
        "",
    ),
    card_fault: says(
        "Card fault",
        "It cannot be read or written. It tries again by itself.",
        "",
    ),
    online: "Online",
    listens: "The other box answers",
    no_messages: "No messages yet",
    today: "Today",
    received: "received",
    answered: "answered",
    received_today: "Received today",
    answered_today: "Answered today",
    no_day: "no date",
    pending: "To send",
    failed: "Failed",
    scan: "Scan with WhatsApp",
    scan_where: "Linked devices",
    maybe_full: "4 devices already? Remove one.",
    status: "Status",
    messages: "Messages",
    network: "Network",
    events: "History",
    about: "About",
    state: "Link",
    number: "Number",
    name: "Name",
    since: "Since",
    devices: "Devices",
    taken: "{} of 4",
    last: "Last",
    connection: "Connection",
    no_network: "No network",
    wifi: "Wi-Fi ({})",
    cable: "Cable ({})",
    mobile: "Modem ({})",
    other_way: "Other ({})",
    address: "Address",
    signal: "Signal",
    signal_good: "Good ({} dBm)",
    signal_fair: "Fair ({} dBm)",
    signal_weak: "Weak ({} dBm)",
    untold: "Not known",
    version: "Version",
    board: "Board",
    serial: "Serial",
    licence: "Licence",
    store_set_aside: "Damaged file set aside",
    sending_limited: "WhatsApp limits sending",
    phone_unseen: "Open WhatsApp on the phone",
};

/// Puts the one value a text may carry in its place.
pub fn fill(text: &str, value: &str) -> String {
    text.replacen("{}", value, 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// `Debug` lists every field, so a text added later is looked at without a change here.
    fn all(texts: &Texts) -> Vec<(String, usize)> {
        let listed = format!("{texts:#?}");
        listed
            .lines()
            .filter_map(|line| line.trim().split_once(": \""))
            .map(|(key, text)| (key.to_owned(), text.matches("{}").count()))
            .collect()
    }

    #[test]
    fn both_languages_carry_the_same_values_in_the_same_texts() {
        let (es, en) = (all(&ES), all(&EN));
        assert!(es.len() > 60, "the listing lost its texts");
        assert_eq!(es, en);
    }

    #[test]
    fn both_languages_offer_a_press_on_the_same_screens() {
        let hints = |texts: &Texts| -> Vec<bool> {
            format!("{texts:#?}")
                .lines()
                .filter_map(|line| line.trim().strip_prefix("hint: "))
                .map(|hint| hint != "\"\",")
                .collect()
        };
        assert_eq!(hints(&ES), hints(&EN));
    }

    /// Somebody who reads a word on the glass must find it in the README.
    #[test]
    fn the_readme_explains_every_screen_in_both_languages() {
        let readme = include_str!("../../README.md");
        let (english, spanish) = readme
            .split_once("\n## Para el dueño de la caja\n")
            .unwrap();
        for (texts, readme) in [(&EN, english), (&ES, spanish)] {
            let listed = format!("{texts:#?}");
            let heads: Vec<_> = listed
                .lines()
                .filter_map(|line| line.trim().strip_prefix("head: \"")?.strip_suffix("\","))
                .collect();
            assert!(heads.len() > 20, "the listing lost its screens");
            for head in heads {
                assert!(
                    readme.contains(head),
                    "the README does not explain \"{head}\""
                );
            }
        }
    }
}
