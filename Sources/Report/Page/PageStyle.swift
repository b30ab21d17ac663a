/// How a page looks, and the few lines of script that switch x axes.
enum PageStyle {
    static let rules = """
        *{box-sizing:border-box}
        body{margin:0;background:var(--paper);color:var(--ink);\
        font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;\
        -webkit-text-size-adjust:100%}
        main,header,footer{max-width:820px;margin:0 auto;padding:0 16px}
        header{padding-top:40px}
        h1{font-size:clamp(26px,5vw,38px);line-height:1.15;font-weight:700;letter-spacing:-.015em;\
        margin:0 0 16px;overflow-wrap:anywhere}
        h2{font-size:22px;line-height:1.25;margin:56px 0 12px;padding-top:14px;\
        border-top:2px solid var(--ink)}
        h3{font-size:17px;line-height:1.3;margin:0}
        p{margin:0 0 12px;max-width:66ch}
        header p{font-size:18px}
        nav{font-size:14px;margin:20px 0 0}
        nav a{margin-right:16px;white-space:nowrap}
        a{color:inherit;text-decoration-color:var(--axis);text-underline-offset:3px}
        figure{margin:32px 0 40px;padding:0}
        figcaption{margin-bottom:12px}
        .source{color:var(--muted);font-size:12.5px;line-height:1.45;margin:3px 0 0;max-width:none;\
        overflow-wrap:anywhere}
        .said{margin:8px 0 0}
        .note{color:var(--muted);font-size:13.5px;margin:8px 0 0}
        svg{display:block;width:100%;height:auto;overflow:visible}
        svg.narrow{display:none}
        .switch{display:flex;flex-wrap:wrap;gap:6px;margin:0 0 10px}
        .switch[hidden]{display:none}
        .switch button{font:inherit;font-size:13px;line-height:1;padding:8px 11px;color:var(--muted);\
        background:none;border:1px solid var(--grid);border-radius:99px;cursor:pointer}
        .switch button[aria-pressed=true]{color:var(--paper);background:var(--ink);\
        border-color:var(--ink)}
        .switched .view{display:none}
        .switched .view.shown{display:inline}
        .scroll{overflow-x:auto;margin-top:10px;background:\
        linear-gradient(270deg,var(--paper) 40%,transparent) right/48px 100% local no-repeat,\
        linear-gradient(270deg,var(--grid),transparent) right/16px 100% no-repeat}
        table{border-collapse:collapse;font-size:14px;line-height:1.35;\
        font-variant-numeric:tabular-nums;min-width:100%}
        th{font-weight:600;text-align:right;vertical-align:bottom;color:var(--muted);font-size:12.5px;\
        border-bottom:1px solid var(--ink);padding:4px 0 6px 14px}
        td{text-align:right;border-bottom:1px solid var(--grid);padding:6px 0 6px 14px;\
        white-space:nowrap}
        th:first-child,td:first-child{padding-left:0;padding-right:4px;position:sticky;left:0;\
        background:var(--paper)}
        th.words,td.words{text-align:left}
        .claims{list-style:none;margin:16px 0 0;padding:0}
        .claims li{border-top:1px solid var(--grid);padding:14px 0 12px}
        .claims h3{display:inline;margin-right:10px}
        .claims p{margin:6px 0 0}
        .claims .note{margin-top:4px}
        .chip{display:inline-block;font-size:12.5px;font-weight:600;line-height:1;padding:5px 9px;\
        border-radius:99px;border:1.5px solid var(--c);color:var(--c);white-space:nowrap;\
        vertical-align:2px}
        .holds{--c:var(--c2)}
        .fails{--c:var(--c1)}
        .open{--c:var(--muted)}
        footer{color:var(--muted);font-size:13px;padding-bottom:48px;margin-top:56px}
        @media (max-width:599px){svg.wide{display:none}svg.narrow{display:block}\
        h2{margin-top:44px}header{padding-top:24px}header p{font-size:17px}\
        td.words:first-child{white-space:normal;min-width:120px}}
        @media (min-width:1240px){main,header,footer{max-width:880px}}
        @media print{body{font-size:10.5pt}header p{font-size:12pt}.switch,nav{display:none}\
        main,header,footer{max-width:none;padding:0}header{padding-top:0}\
        svg.wide{display:block}svg.narrow{display:none}\
        figure,li,tr{break-inside:avoid}figure.long{break-inside:auto}figcaption{break-after:avoid}\
        h2,h3,section>p{break-after:avoid}p{break-inside:avoid}h2{margin-top:36px}\
        figure{margin:20px 0 28px}\
        .scroll{overflow:visible;background:none}table{font-size:8.5pt}th{font-size:8pt}\
        th,td{padding-left:9px}th:first-child,td:first-child{position:static}\
        td.words{white-space:normal}}

        """

    /// All drawings that have the chosen axis change together. Without script the first axis shows.
    static let script = """
        for (const box of document.querySelectorAll(".switch")) {
          box.hidden = false;
          box.addEventListener("click", event => {
            const axis = event.target.dataset.axis;
            if (!axis) return;
            const before = box.getBoundingClientRect().top;
            for (const figure of document.querySelectorAll("figure")) {
              const button = figure.querySelector(`button[data-axis="${axis}"]`);
              if (!button) continue;
              for (const other of figure.querySelectorAll(".switch button"))
                other.setAttribute("aria-pressed", String(other === button));
              figure.classList.add("switched");
              for (const view of figure.querySelectorAll(".view"))
                view.classList.toggle("shown", view.dataset.axis === axis);
            }
            scrollBy(0, box.getBoundingClientRect().top - before);
          });
        }

        """
}
