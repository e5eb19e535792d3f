//! Pictures in the documents: drawings of lines over two axes.

use std::fmt::Write as _;

/// What something is called, its colour, and its points.
pub struct Line {
    pub name: &'static str,
    pub colour: &'static str,
    pub points: Vec<(f64, f64)>,
}

/// How numbers lie on an axis.
#[derive(Clone, Copy)]
pub enum Scale {
    /// Evenly, from zero on.
    Even,
    /// By powers of ten.
    Powers,
}

/// Lines over a pair of axes with titles.
pub struct Panel {
    pub across: &'static str,
    pub up: &'static str,
    pub scale: Scale,
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 50.0;

/// Draw panels, one below the other.
pub fn draw(panels: &[Panel]) -> String {
    let height = HEIGHT * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate(0,{})\">", HEIGHT * number as f64);
        panel.draw(&mut svg);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, svg: &mut String) {
        let [across, up] = [self.axis(|point| point.0), self.axis(|point| point.1)];
        let place = |(x, y): (f64, f64)| {
            let (wide, high) = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
            (MARGIN + across.part(x) * wide, HEIGHT - MARGIN - up.part(y) * high)
        };
        self.axes(svg, &across, &up, &place);
        for (number, line) in self.lines.iter().enumerate() {
            let points: Vec<_> = line.points.iter().map(|point| place(*point)).collect();
            let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let (colour, at) = (line.colour, MARGIN + 16.0 * number as f64);
            let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"{}\"/>", path.join(" "));
            for (x, y) in points {
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
            }
            let left = MARGIN + 16.0;
            let _ = writeln!(svg, "<text x=\"{left}\" y=\"{at}\" fill=\"{colour}\">{}</text>", line.name);
        }
    }

    fn axes(&self, svg: &mut String, across: &Axis, up: &Axis, place: &impl Fn((f64, f64)) -> (f64, f64)) {
        let (left, bottom) = place((across.least, up.least));
        let (right, top) = place((across.most, up.most));
        let _ = writeln!(svg, "<path d=\"M{left},{top} V{bottom} H{right}\" fill=\"none\" stroke=\"black\"/>");
        for x in across.marks() {
            let (at, below) = (place((x, up.least)).0, bottom + 16.0);
            let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>", told(x));
        }
        for y in up.marks() {
            let (beside, at) = (left - 6.0, place((across.least, y)).1);
            let _ = writeln!(svg, "<text x=\"{beside}\" y=\"{at:.1}\" text-anchor=\"end\">{}</text>", told(y));
        }
        let (middle, below, above) = (WIDTH / 2.0, bottom + 34.0, top - 12.0);
        let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{}</text>", self.across);
        let _ = writeln!(svg, "<text x=\"{left}\" y=\"{above}\">{}</text>", self.up);
    }

    /// From where to where the numbers of one kind go.
    fn axis(&self, number: impl Fn(&(f64, f64)) -> f64) -> Axis {
        let numbers = || self.lines.iter().flat_map(|line| &line.points).map(&number);
        let (least, most) = numbers().fold((f64::INFINITY, 0f64), |(low, high), it| (low.min(it), high.max(it)));
        match self.scale {
            Scale::Even => Axis { scale: self.scale, least: 0.0, most },
            Scale::Powers => Axis {
                scale: self.scale,
                least: 10f64.powf(least.log10().floor()),
                most: 10f64.powf(most.log10().ceil()),
            },
        }
    }
}

/// The numbers of an axis.
struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
}

impl Axis {
    /// Where a number lies between the ends: 0 to 1.
    fn part(&self, number: f64) -> f64 {
        match self.scale {
            Scale::Even => number / self.most,
            Scale::Powers => (number / self.least).log10() / (self.most / self.least).log10(),
        }
    }

    /// The numbers that are written beside it.
    fn marks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Even => (1..=4).map(|part| self.most * f64::from(part) / 4.0).collect(),
            Scale::Powers => {
                let powers = std::iter::successors(Some(self.least), |power| Some(power * 10.0));
                powers.take_while(|power| *power < self.most * 1.01).collect()
            }
        }
    }
}

/// A number with as many digits as say something.
fn told(number: f64) -> String {
    if number >= 10.0 || number.fract() < 1e-9 { format!("{number:.0}") } else { format!("{number:.1}") }
}
