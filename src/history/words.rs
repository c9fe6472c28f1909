//! What can happen to a link, why, and what the box does about it: closed lists, so that no number,
//! name or text can slip into the history. Each word has a number on disk that never gets a second
//! meaning, a stable name for programs, and its words in both languages.

macro_rules! words {
    ($(#[$about:meta])* $kind:ident {
        $($(#[$doc:meta])* $word:ident = $number:literal, $name:literal, $es:literal, $en:literal;)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $kind { $($(#[$doc])* $word,)* }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// Its number on disk.
            pub fn number(self) -> u32 {
                match self { $(Self::$word => $number,)* }
            }

            /// Its name in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$word => $name,)* }
            }

            /// For people, in Spanish.
            pub fn es(self) -> &'static str {
                match self { $(Self::$word => $es,)* }
            }

            /// For people, in English.
            pub fn en(self) -> &'static str {
                match self { $(Self::$word => $en,)* }
            }

            /// Whose number on disk this is, if this version knows it.
            pub fn of_number(number: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.number() == number)
            }

            /// Whose name this is, if this version knows it.
            pub fn of_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.name() == name)
            }
        }
    };
}

words! {
    /// What happened. The link's states have the names they have in the status.
    What {
        /// The process came up.
        Started = 1, "process_started", "Encendido", "Switched on";
        /// The process ended in an orderly way, or nearly.
        Ended = 2, "process_ended", "Apagado", "Switched off";
        /// Codes to link with are shown.
        Linking = 3, "linking", "Por vincular", "To be linked";
        /// Nobody scanned; the service is left alone.
        Resting = 4, "resting", "En espera", "At rest";
        /// Linked and logged in.
        Online = 5, "online", "En línea", "Online";
        /// Not logged in, and trying to be.
        Connecting = 6, "connecting", "Conectando", "Connecting";
        /// No way to the service.
        WaitingNetwork = 7, "waiting_network", "Sin internet", "No internet";
        /// The clock is not set.
        WaitingTime = 8, "waiting_time", "Sin hora", "Clock not set";
        /// Somebody else uses this link's keys.
        Conflict = 9, "conflict", "En otra parte", "Open elsewhere";
        /// The device was removed.
        Unlinked = 10, "unlinked", "Desvinculado", "Unlinked";
        /// The account is locked.
        Locked = 11, "locked", "Cuenta bloqueada", "Account locked";
        /// The account is banned for a while.
        Banned = 12, "banned", "Cuenta suspendida", "Account suspended";
        /// The service wants a newer version.
        Outdated = 13, "outdated", "Falta actualizar", "Update needed";
        /// The service wants to be left alone for a while.
        RateLimited = 14, "rate_limited", "En pausa", "Paused";
        /// Something only a person can mend.
        Stopped = 15, "stopped", "Detenido", "Stopped";
        /// Everything is forgotten on purpose.
        Resetting = 16, "resetting", "Borrado todo", "All erased";
        /// A database did not open.
        StoreSetAside = 17, "store_set_aside", "Archivo dañado", "Damaged file";
        /// The service refuses messages to new chats.
        SendingLimited = 18, "sending_limited", "Envíos limitados", "Sending limited";
        /// It takes them again.
        SendingFree = 19, "sending_free", "Envíos normales", "Sending as usual";
    }
}

words! {
    /// Why it happened, as far as the box can know.
    Cause {
        /// The service manager, or a person at the terminal.
        Asked = 1, "asked", "se lo pidieron", "it was told to";
        /// A part the box cannot do without failed; the log names it.
        Failure = 2, "failure", "falló una parte del programa; el registro dice cuál",
            "a part of the program failed; the log says which";
        /// The last run ended without a word.
        PowerCut = 3, "power_cut", "se fue la luz o se cortó el programa",
            "the power went, or the program was cut off";
        /// The connection broke.
        ConnectionLost = 4, "connection_lost", "se cayó la conexión", "the connection broke";
        /// Attempts fail.
        NoAnswer = 5, "no_answer", "WhatsApp no contesta", "WhatsApp does not answer";
        /// No address, no route.
        NoRoute = 6, "no_route", "no hay camino a internet", "there is no way to the internet";
        /// The board woke up in the past.
        ClockNotSet = 7, "clock_not_set", "el reloj no está en hora", "the clock is not set";
        /// A copy of the box's data runs elsewhere.
        SameKeysElsewhere = 8, "same_keys_elsewhere", "una copia de estos datos entró en otra parte",
            "a copy of this box's data logged in elsewhere";
        /// By the owner on the phone, or by the service.
        RemovedOutside = 9, "removed_outside", "lo quitó el teléfono o WhatsApp",
            "the phone or WhatsApp removed it";
        /// The service decided it.
        Service = 10, "service", "lo decidió WhatsApp", "WhatsApp decided it";
        /// Somebody held the button.
        Person = 11, "person", "alguien lo pidió en el equipo", "somebody asked for it at the box";
        /// The service wants a passkey.
        PasskeyWanted = 12, "passkey_wanted", "WhatsApp pide una clave de acceso",
            "WhatsApp wants a passkey";
        /// The phone takes no companions.
        NotMultidevice = 13, "not_multidevice", "ese teléfono no acepta dispositivos vinculados",
            "that phone takes no linked devices";
        /// The linking was broken off.
        LinkRefused = 14, "link_refused", "WhatsApp rechazó el vínculo", "WhatsApp refused the linking";
        /// 463, 475.
        TooManyStrangers = 15, "too_many_strangers", "escribió a demasiados desconocidos",
            "it wrote to too many strangers";
        /// The link's database.
        LinkDatabase = 16, "link_database", "la base del vínculo no abrió",
            "the link's database did not open";
        /// The messages' database.
        LogDatabase = 17, "log_database", "la base de los mensajes no abrió",
            "the messages' database did not open";
        /// A test program wrote the data.
        MarkedDirectory = 18, "marked_directory", "estos datos son de una prueba",
            "this data belongs to a test";
        /// In the phone's list of linked devices.
        RemovedByOwner = 19, "removed_by_owner", "lo quitaron en el teléfono",
            "it was removed on the phone";
        /// The number is for production boxes, and this is none.
        ProductionNumber = 20, "production_number", "ese número es de producción",
            "that number is for production";
        /// It did not hold, or the phone did not accept it.
        PasskeyRefused = 21, "passkey_refused", "WhatsApp no aceptó la clave de acceso",
            "WhatsApp did not accept the passkey";
        /// Ten minutes went by.
        PasskeyLate = 22, "passkey_late", "nadie dio la clave de acceso a tiempo",
            "nobody gave the passkey in time";
        /// The service accepted it.
        PasskeyGiven = 23, "passkey_given", "WhatsApp aceptó la clave de acceso",
            "WhatsApp accepted the passkey";
    }
}

words! {
    /// What the box did about it.
    Did {
        /// By itself, in longer and longer steps.
        TriesAgain = 1, "tries_again", "reintenta solo", "it tries again by itself";
        /// The socket stays closed.
        StaysAway = 2, "stays_away", "no entra hasta que alguien pulse",
            "it stays away until somebody presses";
        /// A dead link's keys.
        DeletedKeys = 3, "deleted_keys", "borró las claves y espera que alguien pulse",
            "it deleted the keys and waits for a press";
        /// Until a moment the service named, or a day.
        Waits = 4, "waits", "espera y reintenta solo", "it waits, then tries by itself";
        /// Told the service, deleted both databases.
        Erased = 5, "erased", "se desvinculó y borró todo", "it unlinked and erased everything";
        /// Shows codes to link with.
        ShowsCodes = 6, "shows_codes", "muestra códigos", "it shows codes";
        /// Set the broken database aside.
        BeganAfresh = 7, "began_afresh", "la apartó y empezó otra", "it set it aside and began afresh";
        /// Keeps drafts to new chats.
        HoldsBack = 8, "holds_back", "espera antes de escribir a desconocidos",
            "it waits before it writes to strangers";
        /// Somebody is to hand it in.
        WaitsForPasskey = 10, "waits_for_passkey", "espera la clave por su página",
            "it waits for it at its own page";
        /// The primary of production, after a pause.
        TakesBack = 9, "takes_back", "recupera el vínculo solo, más tarde",
            "it takes the link back by itself, later";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_words_share_a_number_or_a_name() {
        fn alone<T: Copy, K: std::hash::Hash + Eq>(all: &[T], of: impl Fn(T) -> K) -> bool {
            all.iter()
                .map(|word| of(*word))
                .collect::<HashSet<_>>()
                .len()
                == all.len()
        }
        assert!(alone(What::ALL, What::number) && alone(What::ALL, What::name));
        assert!(alone(Cause::ALL, Cause::number) && alone(Cause::ALL, Cause::name));
        assert!(alone(Did::ALL, Did::number) && alone(Did::ALL, Did::name));
        for what in What::ALL {
            assert_eq!(What::of_number(what.number()), Some(*what));
            assert_eq!(What::of_name(what.name()), Some(*what));
        }
    }
}
