//! A board without anything: pictures are drawn for whoever looks at them through the web side,
//! and the only button is the one in the network. No terminal is touched.

use std::io;

use embedded_graphics::geometry::Size;

use super::{Board, Button, Display, Frame, Glass};

/// The name it is selected by.
pub const NAME: &str = "headless";
/// As large as the commonest small colour display.
pub const SIZE: Size = Size::new(240, 240);

/// Opens it; `size` in pixels, 240 by 240 unless said.
pub fn open(size: Option<Size>) -> Board {
    let glass = Glass::colour(size.unwrap_or(SIZE));
    let (button, remote) = Button::remote_only();
    Board {
        name: NAME.to_owned(),
        glass,
        display: Box::new(Nowhere(glass.size)),
        button,
        remote: Some(remote),
        quit: None,
    }
}

/// Takes pictures and shows them to nobody.
struct Nowhere(Size);

impl Display for Nowhere {
    fn size(&self) -> Size {
        self.0
    }

    fn present(&mut self, _: &Frame) -> io::Result<()> {
        Ok(())
    }
}
