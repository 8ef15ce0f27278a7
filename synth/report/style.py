"""The page's style sheet and its script."""

STYLE = """
:root { color-scheme: light dark; --bg:#f6f7f9; --card:#fff; --ink:#1a1f29; --soft:#5c6675; --line:#e2e6ec;
  --track:#eef1f5; --c1:#3b6fd4; --c2:#e08a2e; --c3:#2a9d8f; --c4:#b5508f; --ok:#93a1b5; --lost:#d1495b;
  --hid:#e9b44c; --worn:#7a5cc4; }
@media (prefers-color-scheme: dark) {
  :root { --bg:#12151b; --card:#1b2029; --ink:#e8ebf0; --soft:#98a3b3; --line:#2c3440; --track:#262d38;
    --c1:#6d9bf1; --c2:#f0a355; --c3:#4fc0b1; --c4:#d981b9; --ok:#6c7a8f; --lost:#ea7282; --hid:#e9c46a;
    --worn:#a58be6; }
}
* { box-sizing: border-box; }
body { margin:0; background:var(--bg); color:var(--ink);
  font:15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header > div, nav > div { max-width:1180px; margin:0 auto; padding:0 24px; }
header { padding:36px 0 20px; }
h1 { margin:0; font-size:30px; letter-spacing:-.02em; }
header p { margin:4px 0 0; color:var(--soft); }
nav { position:sticky; top:0; z-index:2; background:var(--bg); border-bottom:1px solid var(--line); }
nav > div { display:flex; gap:20px; overflow-x:auto; }
nav a { padding:10px 0; color:var(--soft); text-decoration:none; white-space:nowrap; font-size:14px; }
nav a:hover { color:var(--ink); }
section { margin:36px 0 0; scroll-margin-top:52px; }
h2 { font-size:20px; margin:0 0 8px; letter-spacing:-.01em; }
h3 { font-size:14px; margin:0 0 10px; }
section > p, .card > p { color:var(--soft); margin:0 0 14px; max-width:78ch; font-size:14px; }
.card > p { margin:12px 0 0; font-size:13px; }
.tiles { display:grid; grid-template-columns:repeat(auto-fit,minmax(140px,1fr)); gap:12px; margin-top:20px; }
.tile, .card { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:14px 16px; }
.tile b { display:block; font-size:24px; line-height:1.2; font-variant-numeric:tabular-nums;
  letter-spacing:-.02em; }
.tile span { color:var(--soft); font-size:13px; }
.cards { columns:340px; column-gap:16px; }
.card { break-inside:avoid; margin:0 0 16px; }
.wide { column-span:all; margin-top:16px; }
.row { display:grid; grid-template-columns:118px 1fr 92px; gap:10px; align-items:center; margin:5px 0;
  font-size:13px; }
.stacked .row { grid-template-columns:76px 1fr; }
.label { overflow-wrap:anywhere; line-height:1.25; }
.track { position:relative; display:flex; height:14px; background:var(--track); border-radius:3px; }
.track b { display:block; height:100%; border-radius:3px; }
.stacked .track b { border-radius:0; }
.stacked .track { overflow:hidden; }
.target { position:absolute; top:-3px; height:20px; width:2px; margin-left:-1px; background:var(--ink); }
.value { font-variant-numeric:tabular-nums; text-align:right; white-space:nowrap; }
.value small { display:inline-block; width:46px; color:var(--soft); }
.legend { display:flex; flex-wrap:wrap; gap:4px 16px; list-style:none; padding:0; margin:10px 0 0;
  font-size:13px; color:var(--soft); }
.legend i { display:inline-block; width:10px; height:10px; border-radius:2px; margin-right:6px; }
svg { display:block; width:100%; height:auto; }
svg text { font-size:11px; fill:var(--soft); font-variant-numeric:tabular-nums; }
.grid { stroke:var(--line); }
.mark { stroke:var(--soft); stroke-dasharray:3 3; }
.curve { fill:none; stroke-width:2; }
.bin { opacity:.8; }
.whisker { stroke:var(--c1); stroke-width:2; opacity:.45; }
.box { fill:var(--c1); }
.median { stroke:var(--card); stroke-width:2; }
.none { color:var(--soft); font-size:13px; margin:0; }
.chips { display:flex; flex-wrap:wrap; gap:6px; margin:0 0 14px; }
.chips button { font:inherit; font-size:13px; padding:3px 11px; border-radius:99px; border:1px solid
  var(--line); background:var(--card); color:var(--soft); cursor:pointer; }
.chips button[aria-pressed=true] { background:var(--ink); color:var(--bg); border-color:var(--ink); }
.class { margin:0 0 18px; }
.class h3 small { color:var(--soft); font-weight:400; margin-left:8px; }
.strip { display:grid; grid-template-columns:repeat(auto-fill,minmax(268px,1fr)); gap:12px; }
figure { margin:0; background:var(--card); border:1px solid var(--line); border-radius:8px; overflow:hidden; }
figure button { display:flex; gap:2px; padding:0; border:0; width:100%; background:none; cursor:zoom-in; }
figure img { display:block; flex:1 1 0; min-width:0; width:50%; aspect-ratio:3/4; object-fit:cover;
  background:var(--track); }
figure.single img { width:100%; object-fit:contain; }
figcaption { padding:7px 10px 8px; font-size:12px; line-height:1.35; }
figcaption span { display:block; color:var(--soft); overflow:hidden; text-overflow:ellipsis; white-space:nowrap;
  }
table { border-collapse:collapse; width:100%; font-size:13px; }
th, td { text-align:left; padding:5px 12px 5px 0; border-bottom:1px solid var(--line); vertical-align:top;
  overflow-wrap:anywhere; }
th { color:var(--soft); font-weight:500; }
td.n, th.n { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap; }
tr:last-child td, tr:last-child th { border-bottom:0; }
code, pre { font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; }
pre { overflow:auto; max-height:460px; margin:10px 0 0; }
summary { cursor:pointer; font-size:14px; }
details + details { margin-top:10px; }
footer { color:var(--soft); font-size:13px; padding:32px 0 48px; }
dialog { border:0; border-radius:10px; padding:14px; background:var(--card); color:var(--ink);
  max-width:min(94vw,900px); }
dialog::backdrop { background:rgba(0,0,0,.7); }
dialog div { display:flex; gap:8px; justify-content:center; }
dialog img { height:min(72vh,600px); max-width:44vw; object-fit:contain; }
dialog p { margin:10px 0 0; font-size:13px; color:var(--soft); }
@media print { nav, .chips { display:none; } }
"""

SCRIPT = """
const chips = document.querySelectorAll('.chips button'), classes = document.querySelectorAll('.class');
for (const chip of chips) chip.addEventListener('click', () => {
  for (const other of chips) other.setAttribute('aria-pressed', other === chip);
  for (const group of classes) group.hidden = chip.dataset.show !== '' && group.dataset.limb !== chip.dataset.show;
});
const dialog = document.querySelector('dialog');
const pictures = dialog.querySelector('div'), words = dialog.querySelector('p');
for (const figure of document.querySelectorAll('figure')) figure.querySelector('button').onclick = () => {
  pictures.replaceChildren(...[...figure.querySelectorAll('img')].map(image => image.cloneNode()));
  words.textContent = figure.querySelector('figcaption').innerText.replace(/\\n+/g, ', ');
  dialog.showModal();
};
dialog.addEventListener('click', () => dialog.close());
"""
