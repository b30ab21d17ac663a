/// Colours and letters of drawings. The series' colours follow Okabe and Ito, made darker on light
/// paper and lighter on dark, so that lines keep their contrast and the colour-blind can tell them
/// apart.
enum ChartStyle {
    static let colourCount = 8

    /// The classes of a series: its colour, and beyond the eighth a dashed line.
    static func series(_ colour: Int) -> String {
        let index = colour % colourCount
        return colour >= colourCount ? "s\(index) dashed" : "s\(index)"
    }

    private static let light = """
        --paper:#fdfcfa;--ink:#1c1b19;--muted:#66635d;--grid:#e2dfd8;--axis:#8f8b83;\
        --c0:#0b67ab;--c1:#c4500c;--c2:#007d5e;--c3:#a4478a;--c4:#946600;--c5:#2f8fc4;--c6:#5c5c5c;\
        --c7:#6f52a8;
        """
    private static let dark = """
        --paper:#17191c;--ink:#ebe8e2;--muted:#a7a39b;--grid:#34373b;--axis:#7d7a74;\
        --c0:#62b2ee;--c1:#fb9558;--c2:#41cba2;--c3:#e39ac9;--c4:#e4ba50;--c5:#a2daf6;--c6:#bdbdbd;\
        --c7:#b9a0ea;
        """

    static let variables = """
        :root{color-scheme:light dark;\(light)}
        @media (prefers-color-scheme:dark){:root{\(dark)}}
        @media print{:root{color-scheme:light;\(light)}}

        """

    static let rules: String = {
        let series = (0..<colourCount).map { ".s\($0){--c:var(--c\($0))}" }.joined()
        return """
            svg{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;\
            font-size:12px;font-variant-numeric:tabular-nums}
            \(series)
            .paper{fill:var(--paper)}
            .title{font-size:17px;font-weight:650;fill:var(--ink)}
            .label{fill:var(--muted)}
            .strong{fill:var(--ink)}
            .name{fill:var(--c);font-weight:600;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
            .halo{fill:var(--muted);font-size:11px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
            .grid{stroke:var(--grid);fill:none}
            .axis{stroke:var(--axis);fill:none}
            .threshold{stroke:var(--muted);stroke-dasharray:2 3;fill:none}
            .ideal{stroke:var(--muted);stroke-dasharray:6 4;fill:none}
            .band{fill:var(--c);fill-opacity:.15}
            .run{stroke:var(--c);stroke-opacity:.28;stroke-width:.8;fill:none}
            .median{stroke:var(--c);stroke-width:2.2;stroke-linejoin:round;fill:none}
            .dashed .median{stroke-dasharray:7 4}
            .over{stroke-dasharray:9 9}
            .whisker{stroke:var(--c);stroke-width:1.6;fill:none}
            .dot{fill:var(--c)}
            .speck{fill:var(--c);fill-opacity:.3}
            .hollow{fill:var(--paper);stroke:var(--c);stroke-width:1.5}
            .cross{stroke:var(--c);stroke-width:2;fill:none}
            .bar{fill:var(--c)}
            .on{fill:var(--paper)}
            .ink{fill:var(--ink)}
            .view+.view{display:none}
            .digit{image-rendering:pixelated}
            @media (prefers-color-scheme:dark){.digit{filter:invert(1)}}
            @media print{.digit{filter:none}}

            """
    }()
}
