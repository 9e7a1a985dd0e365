"""The looks of the page: system fonts, colours with a contrast of 4.5 to 1 at least on either ground."""

STYLE = """
:root{color-scheme:light dark;--ground:#fdfdfb;--text:#1d2129;--soft:#555c68;--line:#d5d8de;--panel:#f1f3f6;
--accent:#0b5cad;--warm:#9a3412;--calm:#166534}
@media (prefers-color-scheme:dark){:root{--ground:#14171c;--text:#e7e9ee;--soft:#a9b1bf;--line:#3a414d;
--panel:#1e232b;--accent:#82b8f5;--warm:#f7a97c;--calm:#8fd6a8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--ground);color:var(--text);
font:1rem/1.55 system-ui,sans-serif}
h1{font-size:2rem;line-height:1.2;margin:0;overflow-wrap:anywhere}h2{margin:2.5rem 0 .5rem;font-size:1.35rem}
header p{max-width:48rem;margin:.5rem 0}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;list-style:none}
a{color:var(--accent)}
a:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--ground);padding:.5rem}
code,pre{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}
pre{background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.8rem 1rem;
overflow-x:auto}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;min-width:44rem;font-size:.93rem}
tbody th code{white-space:nowrap}tbody th .mark{white-space:nowrap}
caption{text-align:left;color:var(--soft);padding:.3rem 0}
th,td{text-align:left;vertical-align:top;padding:.45rem .7rem .45rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:600}td:nth-child(2){white-space:nowrap}
.filled{color:var(--soft)}.personal,.confidential{color:var(--warm);font-weight:600}.public{color:var(--calm)}
.mark{display:inline-block;border:1px solid var(--line);border-radius:1rem;padding:0 .5rem;font-size:.78rem;
font-weight:400;color:var(--soft)}
dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1rem}footer{margin-top:3rem;color:var(--soft)}
svg{max-width:100%;height:auto;display:block}svg text{fill:var(--text);font:14px system-ui,sans-serif}
svg .soft{fill:var(--soft);font-size:12px}svg rect{fill:var(--panel);stroke:var(--line)}
svg .way{fill:none;stroke:var(--soft);stroke-width:1.5}svg .tip{fill:var(--soft)}
@media print{nav,.skip{display:none}}
"""
