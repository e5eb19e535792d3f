//! The picture in the documents: time against size, as a drawing of lines.

use std::fmt::Write as _;

/// A solver's name, its colour, and its points: packages and milliseconds.
pub struct Line {
    pub name: &'static str,
    pub colour: &'static str,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 50.0;

/// Draw lines over axes that begin at zero.
pub fn draw(lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let (most, longest) = all().fold((0f64, 0f64), |(x, y), point| (x.max(point.0), y.max(point.1)));
    let place = |(x, y): (f64, f64)| {
        let (wide, high) = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
        (MARGIN + x / most * wide, HEIGHT - MARGIN - y / longest * high)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    axes(&mut svg, most, longest, &place);
    for (number, line) in lines.iter().enumerate() {
        let points: Vec<_> = line.points.iter().map(|point| place(*point)).collect();
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (colour, at) = (line.colour, MARGIN + 16.0 * number as f64);
        let _ = writeln!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"{}\"/>", path.join(" "));
        for (x, y) in points {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
        }
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{at}\" fill=\"{colour}\">{}</text>", MARGIN + 16.0, line.name);
    }
    svg + "</svg>\n"
}

fn axes(svg: &mut String, most: f64, longest: f64, place: &impl Fn((f64, f64)) -> (f64, f64)) {
    let (left, bottom) = place((0.0, 0.0));
    let (right, top) = place((most, longest));
    let _ = writeln!(svg, "<path d=\"M{left},{top} V{bottom} H{right}\" fill=\"none\" stroke=\"black\"/>");
    for part in 1..=4 {
        let (x, y) = (most * f64::from(part) / 4.0, longest * f64::from(part) / 4.0);
        let (at, _) = place((x, 0.0));
        let (_, high) = place((0.0, y));
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{x:.0}</text>", bottom + 16.0);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{high:.1}\" text-anchor=\"end\">{y:.1}</text>", left - 6.0);
    }
    let middle = WIDTH / 2.0;
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">packages chosen</text>", bottom + 34.0);
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">milliseconds</text>", top - 12.0);
}
