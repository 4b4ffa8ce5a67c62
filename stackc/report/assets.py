"""The page's style and script, both inline: the page loads nothing."""

from __future__ import annotations

_LIGHT = """--ink:#1b1f24;--soft:#59636e;--paper:#fff;--card:#f6f8fa;--rule:#d5dbe1;--link:#0b62a4;
--c0:#0b62a4;--c1:#c2410c;--c2:#0f766e;--c3:#a21caf;--c4:#a16207;--c5:#4d7c0f;--c6:#be123c;--c7:#475569;
--faint:#414b55;--h0:#eef6ee;--h1:#dcefdc;--h2:#fdf3cf;--h3:#fbdcb8;--h4:#f7c1b4"""

_DARK = """--ink:#e6eaef;--soft:#9aa6b2;--paper:#101418;--card:#171c22;--rule:#323a44;--link:#6cb6ff;
--c0:#6cb6ff;--c1:#fb9a5b;--c2:#4fd1c0;--c3:#e58bf0;--c4:#e3b341;--c5:#a3d65c;--c6:#ff7f96;--c7:#a9b6c5;
--faint:#bcc6d0;--h0:#16251a;--h1:#1d3524;--h2:#3d3513;--h3:#4d3014;--h4:#5a241d"""

_RULES = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:0 16px 96px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.6rem;margin:24px 0 8px;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:36px 0 8px;padding-top:12px;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:20px 0 6px;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:4px 16px}a{color:var(--link)}
.note{color:var(--soft);font-size:.875rem;margin:4px 0 8px;overflow-wrap:anywhere}
.warning{font-size:.875rem;font-weight:600;margin:4px 0 8px;overflow-wrap:anywhere}
.wide{overflow-x:auto;border:1px solid var(--rule);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:right;white-space:nowrap}
th:first-child{text-align:left;position:sticky;left:0;background:var(--paper);z-index:1;
box-shadow:1px 0 var(--rule)}
thead th{vertical-align:bottom;color:var(--soft);font-weight:600;white-space:pre-line}
tbody{border-top:1px solid var(--rule)}tbody th{font-weight:600}
tbody tr.stack th{background:var(--card);position:static;box-shadow:none}
tr.stack th>span{position:sticky;left:10px;display:inline-block;white-space:normal;
max-width:min(1080px,calc(100vw - 54px))}
.note{font-weight:400}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:16px}
.comparison.grid{grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr))}
.comparison .plot{display:flex;flex-wrap:wrap;gap:0 14px;align-items:center}
.comparison .plot>svg{flex:1 1 330px;max-width:430px}.comparison .legend{flex:1 1 auto}
.lines-on~.plot.whole,.lines-on:checked~.plot{display:none}.lines-on:checked~.plot.whole{display:block}
.comparison .lines-on:checked~.plot.whole{display:flex}
.lines-on{margin:0 6px 6px 0}.lines-on+label{font-size:.8125rem;color:var(--soft);cursor:pointer}
figure{margin:0;padding:12px;background:var(--card);border:1px solid var(--rule);border-radius:8px;min-width:0}
figcaption{font-weight:600;margin-bottom:6px;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;font:13px system-ui,sans-serif}
svg text{fill:var(--soft)}svg .label,svg .name{fill:var(--ink)}
svg .mid{text-anchor:middle}svg .end{text-anchor:end}
svg path{fill:none;stroke-width:1.8}svg .grid{stroke:var(--rule);stroke-width:.6}
svg .axis{stroke:var(--soft);stroke-width:1}svg .dashes{stroke-dasharray:7 4}svg .dots{stroke-dasharray:1.5 4}
svg .thin{stroke-width:1;stroke-opacity:.5}svg .steps{fill-opacity:.14}svg .mark{stroke:var(--card);stroke-width:1}
svg .name{paint-order:stroke;stroke:var(--card);stroke-width:3;stroke-linejoin:round}
.legend{list-style:none;margin:6px 0 4px;padding:0;font-size:.8125rem;line-height:1.35}
.legend li{display:flex;gap:8px;align-items:baseline;overflow-wrap:break-word;margin:2px 0}
.legend span{min-width:0}
.legend svg{flex:none;width:28px;height:14px;align-self:center}
.browser{border:1px solid var(--rule);border-radius:8px;background:var(--card)}
.browser>input{position:absolute;opacity:0}
.browser label{display:inline-block;padding:4px 14px;margin:0 6px 6px 0;border:1px solid var(--rule);
border-radius:999px;cursor:pointer}
.heads,.row{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:0 16px;padding:0 12px}
.heads{position:sticky;top:0;background:var(--card);padding-top:10px;border-bottom:1px solid var(--rule);z-index:2;
border-radius:8px 8px 0 0}
.heads strong{display:inline-block;margin-right:8px;overflow-wrap:anywhere}
.view{display:none}.row{padding-top:3px;padding-bottom:3px}.row+.row{border-top:1px solid var(--rule)}
.about.grid{grid-template-columns:repeat(auto-fit,minmax(min(100%,350px),1fr))}
article{padding:12px;background:var(--card);border:1px solid var(--rule);border-radius:8px;min-width:0}
article h3{margin:0 0 6px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 12px;margin:0;font-size:.875rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}code{font:.8125rem ui-monospace,Menlo,Consolas,monospace}
details{margin-top:6px;font-size:.875rem}summary{cursor:pointer;color:var(--link)}
details pre{font-size:.75rem;line-height:1.5;margin-top:6px}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font:15px/1.9 ui-monospace,Menlo,Consolas,monospace}
pre:focus-visible,.wide:focus-visible{outline:2px solid var(--link);outline-offset:2px}
pre b{font-weight:400;padding:2px 0;border-left:2px solid var(--card);border-radius:3px;unicode-bidi:isolate;
cursor:default}
pre b.on{outline:2px solid var(--ink)}pre i{font-style:normal;color:var(--faint);font-size:.85em}
.scale span{display:inline-block;padding:0 8px;border-radius:3px;color:var(--ink)}
#told{position:fixed;left:0;right:0;bottom:0;padding:10px 16px;background:var(--ink);color:var(--paper);
font:14px/1.4 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere;max-height:30vh;overflow:auto}
#told:empty{display:none}
@media(max-width:700px){.heads{position:static}.heads,.row{grid-template-columns:minmax(0,1fr)}
.cell[data-who]{border-left:4px solid var(--own);padding-left:8px;margin:2px 0}
.cell[data-who]::before{content:attr(data-who);display:block;font-size:.75rem;color:var(--soft)}}
@media print{#told,nav{display:none}.heads{position:static}}
"""

SCRIPT = """
(function(){
var told=document.getElementById("told"),on=null;
function all(view){return document.querySelectorAll('pre[data-view="'+view+'"] b')}
function parts(piece){
 var view=piece.parentNode.dataset.view,number=piece.dataset.w;
 return number===undefined?[piece]:[].filter.call(all(view),function(b){return b.dataset.w===number});
}
function mark(piece,as){parts(piece).forEach(function(b){b.classList.toggle("on",as)})}
function show(piece){
 parts(piece).forEach(function(b){if(b.title){b.dataset.told=b.title;b.removeAttribute("title")}});
 if(on)mark(on,false);
 on=piece;mark(on,true);
 var text=piece.dataset.text||piece.textContent.replace(/\\n/g,"");
 told.textContent="\u201c"+text+"\u201d \u00b7 "+piece.dataset.told;
}
function none(){told.textContent="";if(on)mark(on,false);on=null}
function under(event){return event.target.closest?event.target.closest("pre b"):null}
document.addEventListener("pointerover",function(event){var piece=under(event);if(piece)show(piece)});
document.addEventListener("click",function(event){var piece=under(event);if(piece)show(piece);else none()});
document.addEventListener("keydown",function(event){
 var text=document.activeElement;
 if(event.key==="Escape")none();
 if(!text||!text.dataset.view||(event.key!=="ArrowRight"&&event.key!=="ArrowLeft"))return;
 var right=event.key==="ArrowRight",view=text.dataset.view;
 var pieces=[].filter.call(all(view),function(b){return !b.classList.contains("more")});
 var here=on&&on.parentNode.dataset.view===view?pieces.indexOf(parts(on)[0]):-1;
 var next=here<0?pieces[0]:pieces[here+(right?1:-1)];
 if(next){show(next);next.scrollIntoView({block:"nearest"});event.preventDefault()}
});
})();
"""


def style() -> str:
    """All rules: light mode, dark mode if the reader prefers it, and a rule per colour and per level's button."""
    colours = "".join(
        f"svg path.c{i}:not(.mark){{stroke:var(--c{i})}}svg .mark.c{i},svg .steps.c{i}{{fill:var(--c{i})}}"
        for i in range(8)
    )
    shades = "".join(f".h{i}{{background:var(--h{i})}}" for i in range(5))
    owned = "".join(f".own{i}{{--own:var(--c{i})}}" for i in range(8))
    names = "".join(f"svg .name.c{i}{{fill:var(--c{i})}}" for i in range(8))
    dark = f"@media(prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    base = f":root{{color-scheme:light dark;{_LIGHT}}}{dark}{_RULES}"
    return f"{base}{colours}{shades}{owned}{names}"
