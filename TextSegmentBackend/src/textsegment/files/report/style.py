"""Style sheet of the report page."""

STYLE = """
@page { size: A4; margin: 14mm; }
* { box-sizing: border-box; }
body {
  font: 10pt/1.4 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  color: #1c2126; background: #fff; max-width: 190mm; margin: 8mm auto; padding: 0 4mm;
  -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
h1 { font-size: 17pt; margin: 0 0 3mm; }
h2 { font-size: 11.5pt; margin: 6mm 0 2mm; break-after: avoid; }
.banner { background: #fff4d6; border-left: 1.2mm solid #d98e00; padding: 2.5mm 3.5mm; margin: 0 0 3mm; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.6mm 5mm; margin: 0 0 4mm; font-size: 9pt; }
dt { color: #5a636c; }
dd { margin: 0; overflow-wrap: anywhere; }
.overview { display: flex; justify-content: space-between; align-items: flex-start; }
.overview img { display: block; border-radius: 1mm; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 600; font-size: 8.5pt; color: #5a636c; }
th { border-bottom: 0.4mm solid #9aa3ab; }
th, td { padding: 1mm 1.5mm; vertical-align: baseline; }
td { border-bottom: 0.2mm solid #dfe3e7; overflow-wrap: anywhere; }
tr { break-inside: avoid; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.swatch { display: inline-block; width: 3.2mm; height: 3.2mm; }
.swatch { border-radius: 0.6mm; border: 0.2mm solid #0004; }
.recipe { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; font-size: 8pt; }
.found { color: #1b6e3c; white-space: nowrap; }
.cut { color: #a05a00; font-weight: 600; white-space: nowrap; }
.none { color: #a3262a; font-weight: 600; white-space: nowrap; }
.doubt { color: #a05a00; font-size: 8.5pt; }
.box { text-align: center; font-size: 12pt; line-height: 1; }
.missing { background: #fdeeee; border-left: 1.2mm solid #a3262a; }
.missing { padding: 0.5mm 3.5mm 1.5mm; margin-top: 5mm; }
.missing h2 { margin-top: 2mm; }
section { break-inside: avoid; }
ul { margin: 0; padding-left: 5mm; }
.signature { display: flex; gap: 10mm; margin: 14mm 0 8mm; break-inside: avoid; }
.signature span { flex: 2; border-top: 0.2mm solid #1c2126; padding-top: 1mm; }
.signature span { font-size: 8.5pt; color: #5a636c; }
.signature span + span { flex: 1; }
.gallery { display: grid; grid-template-columns: repeat(4, 1fr); gap: 3mm; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; border-radius: 1mm; }
figcaption { font-size: 8.5pt; padding-top: 0.8mm; overflow-wrap: anywhere; }
@media print { body { margin: 0; padding: 0; max-width: none; } }
"""
