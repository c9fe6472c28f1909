//! vinculo keeps one WhatsApp number linked as a companion device.
