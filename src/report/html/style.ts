/**
 * The style of the page, for light and dark, and for widths from 320 pixels on.
 *
 * @module
 */
import { Markup } from './markup.js'

/** The content of the `style` element. */
export const STYLE = new Markup(`
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --page: #fff; --card: #f6f8fa;
  --bar: #2f6feb; --bad: #c62828; --warn: #9a6700; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #30363d; --page: #0d1117;
  --card: #161b22; --bar: #6ea8fe; --bad: #ff7b72; --warn: #e3b341; --good: #56d364; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 16px 64px; max-width: 1080px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 15px; margin: 0 0 8px; }
p { margin: 4px 0; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin: 20px 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.tile b { display: block; font-size: 24px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 16px; }
.bars { display: grid; grid-template-columns: minmax(90px, 34%) 1fr auto; gap: 4px 10px; align-items: center; }
.bars svg, .strip svg { width: 100%; height: 12px; display: block; }
.count { text-align: right; font-variant-numeric: tabular-nums; }
svg .fill { fill: var(--bar); } svg .rest { fill: var(--line); } svg .bad { fill: var(--bad); }
svg .later { fill: var(--bar); opacity: .35; } svg .now { fill: var(--ink); }
.days svg { width: 100%; height: 120px; display: block; border-bottom: 1px solid var(--line); }
.axis { display: flex; justify-content: space-between; gap: 12px; color: var(--soft); font-size: 13px; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; background: var(--card); }
summary { padding: 10px 14px; cursor: pointer; }
summary b { font-variant-numeric: tabular-nums; }
.finding { border-top: 1px solid var(--line); padding: 8px 14px; }
code { font: 13px/1.5 ui-monospace, monospace; }
.strip { display: grid; grid-template-columns: minmax(110px, 30%) 1fr; gap: 6px 10px; align-items: center; }
`)
