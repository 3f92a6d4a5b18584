//! The picture: latency, memory and work over time, one above the other.

use std::{error::Error, path::Path};

use plotters::{
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea as _},
    element::PathElement,
    prelude::{IntoLogRange as _, SVGBackend},
    series::LineSeries,
    style::{BLACK, Color as _, RGBColor, WHITE},
};

use crate::Window;

const SIZE: (u32, u32) = (960, 840);
const GREEN: RGBColor = RGBColor(15, 118, 110);
const AMBER: RGBColor = RGBColor(217, 119, 6);
const VIOLET: RGBColor = RGBColor(124, 58, 237);
const GREY: RGBColor = RGBColor(150, 150, 150);

/// One line of a chart: what it is, its colour, and its points over minutes.
type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

/// Draws it as SVG to `path`.
pub(crate) fn draw(path: &Path, windows: &[Window]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((3, 1));
    let over_time = |value: &dyn Fn(&Window) -> f64| {
        windows.iter().map(|window| (window.at.as_secs_f64() / 60.0, value(window))).collect::<Vec<_>>()
    };
    let millis = |micros: u64| micros.max(1) as f64 / 1000.0;
    let latencies = [
        ("longest 最长", GREY, over_time(&|window| millis(window.offer.max()))),
        ("p99", AMBER, over_time(&|window| millis(window.offer.value_at_quantile(0.99)))),
        ("p50", GREEN, over_time(&|window| millis(window.offer.value_at_quantile(0.5)))),
        ("p99, screen 坐席屏幕", VIOLET, over_time(&|window| millis(window.screen.value_at_quantile(0.99)))),
    ];
    let memory = [
        ("memory 内存, MiB", GREEN, over_time(&|window| window.resident_mib as f64)),
        ("disk 磁盘, MiB", AMBER, over_time(&|window| window.disk_mib as f64)),
    ];
    let work = [("processor 处理器, % of one core", GREEN, over_time(&|window| window.cpu))];
    chart(&panels[0], "from press to offer, ms 按下到派单（毫秒）", &latencies, true)?;
    chart(&panels[1], "memory and disk 内存与磁盘", &memory, false)?;
    chart(&panels[2], "work 负载", &work, false)?;
    root.present()?;
    Ok(())
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    lines: &[Line],
    logarithmic: bool,
) -> Result<(), Box<dyn Error>> {
    let all = || lines.iter().flat_map(|(_, _, points)| points);
    let minutes = all().map(|(at, _)| *at).fold(0.2, f64::max);
    let highest = all().map(|(_, value)| *value).fold(1.0, f64::max);
    let mut builder = ChartBuilder::on(area);
    builder.caption(title, ("sans-serif", 16)).margin(12).x_label_area_size(28).y_label_area_size(64);
    // A logarithmic axis is another type, so the same is said twice.
    macro_rules! draw_on {
        ($values:expr) => {{
            let mut chart = builder.build_cartesian_2d(0.0..minutes, $values)?;
            chart.configure_mesh().x_desc("min").light_line_style(WHITE).draw()?;
            for (name, colour, points) in lines {
                let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour))?;
                drawn
                    .label(*name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK.mix(0.2))
                .draw()?;
        }};
    }
    if logarithmic {
        draw_on!((0.1..highest * 2.0).log_scale());
    } else {
        draw_on!(0.0..highest * 1.15);
    }
    Ok(())
}
