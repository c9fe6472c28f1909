//! Rectangles that can be cut up. All layout is cutting: nobody writes down coordinates.

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Width; never below nothing.
    pub w: i32,
    /// Height; never below nothing.
    pub h: i32,
}

impl Area {
    /// A rectangle; a negative side counts as none.
    pub fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self {
            x,
            y,
            w: w.max(0),
            h: h.max(0),
        }
    }

    /// Smaller by `by` on each side.
    pub fn inset(self, by: i32) -> Self {
        self.inset_xy(by, by)
    }

    /// Smaller by `x` left and right and by `y` above and below.
    pub fn inset_xy(self, x: i32, y: i32) -> Self {
        Self::new(self.x + x, self.y + y, self.w - 2 * x, self.h - 2 * y)
    }

    /// The upper `height` pixels, and the rest.
    pub fn split_top(self, height: i32) -> (Self, Self) {
        let height = height.clamp(0, self.h);
        (
            Self::new(self.x, self.y, self.w, height),
            Self::new(self.x, self.y + height, self.w, self.h - height),
        )
    }

    /// The rest, and the lower `height` pixels.
    pub fn split_bottom(self, height: i32) -> (Self, Self) {
        self.split_top(self.h - height.clamp(0, self.h))
    }

    /// The left `width` pixels, and the rest.
    pub fn split_left(self, width: i32) -> (Self, Self) {
        let width = width.clamp(0, self.w);
        (
            Self::new(self.x, self.y, width, self.h),
            Self::new(self.x + width, self.y, self.w - width, self.h),
        )
    }

    /// The largest square in the middle, of at most `most` pixels a side.
    pub fn square(self, most: i32) -> Self {
        let side = self.w.min(self.h).min(most);
        Self::new(
            self.x + (self.w - side) / 2,
            self.y + (self.h - side) / 2,
            side,
            side,
        )
    }

    /// One past the right edge.
    pub fn right(self) -> i32 {
        self.x + self.w
    }

    /// One past the lower edge.
    pub fn bottom(self) -> i32 {
        self.y + self.h
    }
}
