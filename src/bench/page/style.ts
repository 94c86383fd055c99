/* The page's style: system fonts, nothing to load, dark where the reader prefers it, and readable on paper. */
import { darkRules, SURFACE } from './palette.js';

const variables = (theme: 'light' | 'dark'): string =>
  Object.entries(SURFACE)
    .map(([name, colour]) => `--${name}:${colour[theme]}`)
    .join(';');

export const PAGE_STYLE = `
:root{color-scheme:light dark;${variables('light')};--ground:#f6f8fa;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{${variables('dark')};--ground:#0a0d12;--accent:#3fa2e0}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 24px}
header{padding-top:44px}
h1{font-size:2.1rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.35rem;margin:2.6rem 0 .2rem}
h3{font-size:.95rem;margin:0 0 .5rem}
h3 small{font-weight:400;color:var(--muted)}
p{margin:.4rem 0 1rem;max-width:92ch}
.muted,figcaption,caption,td span,th small,.tile p{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px;margin:1.6rem 0;padding:0;list-style:none}
.card,.tile{background:var(--paper);border:1px solid var(--line);border-radius:10px}
.tile{padding:14px 18px}
.tile strong{display:block;font-size:2rem;line-height:1.25;color:var(--accent);font-variant-numeric:tabular-nums}
.tile p{margin:0;font-size:.85rem}
.tile h2{margin:0;font-size:.95rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,480px),1fr));gap:14px}
figure{margin:0;padding:14px 18px 8px;min-width:0}
svg{display:block;width:100%;height:auto}
figure.wide{padding:4px;overflow-x:auto}
.wide svg{min-width:640px}
.scroll{overflow-x:auto;background:var(--paper);border:1px solid var(--line);border-radius:10px;margin:14px 0}
table{border-collapse:collapse;width:100%;font-size:.8rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:12px 14px 4px;font-size:.9rem}
th,td{padding:4px 10px;text-align:right;white-space:nowrap}
thead th{vertical-align:bottom;border-bottom:1px solid var(--line)}
tbody{border-bottom:1px solid var(--line)}
tbody th{font-weight:400}
th[scope=rowgroup],thead th:first-child,th[scope=row],thead th:nth-child(2){text-align:left;vertical-align:top}
th[scope=rowgroup]{font-weight:600}
th small{display:block;font-weight:400}
tr.plait td,tr.plait th[scope=row]{font-weight:600}
td span{font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem;margin:.6rem 0 1.2rem}
dt{color:var(--muted)}
dd{margin:0}
pre{overflow:auto;max-height:24rem;background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:12px 16px;font-size:.85rem}
footer{padding:2rem 24px 3rem;color:var(--muted);font-size:.85rem}
@media print{body{background:none}figure,.scroll{break-inside:avoid}}
${darkRules()}`;
