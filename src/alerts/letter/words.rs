//! Every sentence of an alert, in both languages side by side.

use crate::alerts::kind::Kind;
use crate::history::What;
use crate::panel::Language;

/// What an alert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// For the subject.
    pub head: &'static str,
    /// What happened.
    pub what: &'static str,
    /// What to do; may be empty.
    pub todo: &'static str,
}

/// The words for `kind`. `state`: at what the box has been while it was not online.
pub fn says(language: Language, kind: Kind, state: Option<What>) -> Says {
    match language {
        Language::Es => es(kind, state),
        Language::En => en(kind, state),
    }
}

fn es(kind: Kind, state: Option<What>) -> Says {
    let (head, what, todo) = match kind {
        Kind::Test => (
            "prueba de avisos",
            "Si lee esto, los avisos de este equipo llegan.",
            "",
        ),
        Kind::Offline => (
            "sin conexión con WhatsApp",
            offline_es(state),
            "Mire la pantalla del equipo. Si dice \"Sin internet\", revise el wifi o el cable y \
             el router. Lo que le escriban mientras tanto espera en WhatsApp y no se pierde.",
        ),
        Kind::Conflict => (
            "el vínculo está abierto en otra parte",
            "Otro programa entró a WhatsApp con una copia de los datos de este equipo, y \
             WhatsApp dejó por fuera a este. Este equipo no contesta hasta que usted decida. Si su \
             pantalla muestra una hora, a esa hora recupera el vínculo solo.",
            "Apague la copia (una tarjeta clonada o un respaldo restaurado) y luego pulse el \
             botón del equipo para usar el vínculo aquí.",
        ),
        Kind::Unlinked => (
            "desvinculado de WhatsApp",
            "El teléfono o WhatsApp quitó este equipo de los dispositivos vinculados. El bot ya \
             no contesta.",
            "Pulse el botón del equipo y escanee el código con WhatsApp, Dispositivos \
             vinculados, Vincular un dispositivo.",
        ),
        Kind::Locked => (
            "WhatsApp bloqueó la cuenta",
            "WhatsApp bloqueó la cuenta de este número. El equipo no vuelve a entrar por su cuenta.",
            "Abra WhatsApp en el teléfono, mire qué dice y resuélvalo allí. Después pulse el \
             botón del equipo.",
        ),
        Kind::Banned => (
            "WhatsApp suspendió el número",
            "WhatsApp suspendió este número por un tiempo. El equipo espera y vuelve a entrar solo.",
            "Abra WhatsApp en el teléfono y mire el motivo. No intente vincular otros programas \
             mientras dure la suspensión: eso la puede alargar.",
        ),
        Kind::Outdated => (
            "falta actualizar el programa",
            "WhatsApp pide una versión más nueva de la que este equipo conoce. El bot no contesta.",
            "Instale la última versión de vínculo. El equipo reintenta solo de vez en cuando.",
        ),
        Kind::Stopped => (
            "WhatsApp rechazó el equipo",
            "WhatsApp rechazó este equipo por un motivo que solo una persona puede resolver.",
            "Mire la pantalla del equipo, instale la última versión si la hay y pulse el botón \
             para reintentar.",
        ),
        Kind::Store => (
            "un archivo dañado se apartó",
            "Una base de datos del equipo no abrió. Se apartó y se empezó otra, así que el equipo \
             funciona, pero puede faltar el historial o pedir que lo vinculen de nuevo.",
            "Si pasa otra vez, cambie la tarjeta de memoria: suelen fallar así.",
        ),
        Kind::Normal => (
            "todo normal otra vez",
            "El equipo está en línea de nuevo y contesta.",
            "",
        ),
        Kind::Summary => (
            "el vínculo va y viene (resumen)",
            "Desde el último correo esto pasó varias veces. Va contado aquí para no llenarle el \
             buzón.",
            "Si es la conexión, revise el wifi, el router y la fuente de poder. \"vinculo events\" \
             en el equipo muestra la lista completa.",
        ),
    };
    Says { head, what, todo }
}

fn offline_es(state: Option<What>) -> &'static str {
    match state {
        Some(What::WaitingNetwork) => "El equipo no tiene salida a internet. Reintenta solo.",
        Some(What::WaitingTime) => "El equipo no sabe la hora, y sin ella no puede conectarse.",
        Some(What::RateLimited) => "WhatsApp pidió esperar. El equipo sigue solo en un rato.",
        Some(What::Linking | What::Resting) => {
            "El equipo no está vinculado: alguien borró el vínculo y nadie ha escaneado el código."
        }
        _ => "El equipo no logra entrar a WhatsApp. Reintenta solo.",
    }
}

fn en(kind: Kind, state: Option<What>) -> Says {
    let (head, what, todo) = match kind {
        Kind::Test => (
            "test of the alerts",
            "If you can read this, the alerts of this box arrive.",
            "",
        ),
        Kind::Offline => (
            "no connection to WhatsApp",
            offline_en(state),
            "Look at the box's screen. If it says \"No internet\", check the Wi-Fi or the cable, \
             and the router. What people write meanwhile waits at WhatsApp and is not lost.",
        ),
        Kind::Conflict => (
            "the link is open elsewhere",
            "Another program logged in to WhatsApp with a copy of this box's data, and WhatsApp \
             threw this one out. This box does not answer until you decide. If its screen shows \
             a time, it takes the link back by itself then.",
            "Switch the copy off (a cloned card, or a restored backup), then press the button \
             of the box to use the link here.",
        ),
        Kind::Unlinked => (
            "unlinked from WhatsApp",
            "The phone or WhatsApp removed this box from the linked devices. The bot does not \
             answer any more.",
            "Press the button of the box and scan the code with WhatsApp, Linked devices, Link a \
             device.",
        ),
        Kind::Locked => (
            "WhatsApp locked the account",
            "WhatsApp locked the account of this number. The box does not go back by itself.",
            "Open WhatsApp on the phone, see what it says and settle it there. Then press the \
             button of the box.",
        ),
        Kind::Banned => (
            "WhatsApp suspended the number",
            "WhatsApp suspended this number for a while. The box waits and goes back by itself.",
            "Open WhatsApp on the phone and see why. Do not link other programs meanwhile: that \
             may make it longer.",
        ),
        Kind::Outdated => (
            "the program needs an update",
            "WhatsApp wants a newer version than this box knows of. The bot does not answer.",
            "Install the latest version of vinculo. The box tries again by itself now and then.",
        ),
        Kind::Stopped => (
            "WhatsApp refused the box",
            "WhatsApp refused this box for a reason that only a person can settle.",
            "Look at the box's screen, install the latest version if there is one, and press the \
             button to try again.",
        ),
        Kind::Store => (
            "a damaged file was set aside",
            "A database of the box did not open. It was set aside and begun afresh, so the box \
             works, but the history may be gone, or it may ask to be linked anew.",
            "If it happens again, replace the memory card: this is how they fail.",
        ),
        Kind::Normal => ("back to normal", "The box is online again and answers.", ""),
        Kind::Summary => (
            "the link comes and goes (summary)",
            "Since the last mail this happened several times. It is counted here so as not to \
             fill your mailbox.",
            "If it is the connection, check the Wi-Fi, the router and the power supply. \"vinculo \
             events\" on the box shows the whole list.",
        ),
    };
    Says { head, what, todo }
}

fn offline_en(state: Option<What>) -> &'static str {
    match state {
        Some(What::WaitingNetwork) => {
            "The box has no way to the internet. It tries again by itself."
        }
        Some(What::WaitingTime) => "The box does not know the time, and cannot connect without it.",
        Some(What::RateLimited) => "WhatsApp asked to wait. The box goes on by itself in a while.",
        Some(What::Linking | What::Resting) => {
            "The box is not linked: somebody erased the link, and nobody has scanned the code."
        }
        _ => "The box cannot log in to WhatsApp. It tries again by itself.",
    }
}
