/** The words of the page, in English and German. */

const GERMAN = {
  "Drop a scan here": "Scan hier ablegen",
  "or choose a file": "oder Datei wählen",
  "A DICOM folder, .nii, .nii.gz or .nrrd. It stays on this computer and the server that you see in the address.":
    "Ein DICOM-Ordner, .nii, .nii.gz oder .nrrd. Er bleibt auf diesem Rechner und dem Server in der Adresszeile.",
  "Choose a DICOM folder": "DICOM-Ordner wählen",
  "Which one?": "Welches davon?",
  "said by the files": "laut den Dateien",
  "Name the structures": "Strukturen nennen",
  "liver, spleen, left kidney": "Leber, Milz, linke Niere",
  Modality: "Modalität",
  "by its values": "nach den Werten",
  "by its name": "nach dem Namen",
  "chosen by you": "von Ihnen gewählt",
  Segment: "Segmentieren",
  Cancel: "Abbrechen",
  Window: "Fenster",
  "soft tissue": "Weichteil",
  lung: "Lunge",
  bone: "Knochen",
  brain: "Gehirn",
  all: "alles",
  "Save for 3D Slicer": "Für 3D Slicer speichern",
  "Save label map": "Label-Karte speichern",
  "Save RTSTRUCT": "RTSTRUCT speichern",
  "Save DICOM SEG": "DICOM-SEG speichern",
  Report: "Bericht",
  "Statistics (CSV)": "Statistik (CSV)",
  "Mean value": "Mittelwert",
  "Tree and sets…": "Baum und Sätze …",
  "Tree and sets": "Baum und Sätze",
  Sets: "Sätze",
  Search: "Suchen",
  "Or draw one yourself": "Oder selbst eine zeichnen",
  "its name": "ihr Name",
  "Give it a name that no other structure has.": "Geben Sie einen Namen, den keine andere Struktur hat.",
  "not found": "nicht gefunden",
  "cut off by the border of the image": "vom Bildrand angeschnitten",
  Structure: "Struktur",
  Sure: "Sicher",
  "Doubtful only": "Nur zweifelhafte",
  Check: "Prüfen",
  "Probably not in this image": "Wahrscheinlich nicht im Bild",
  "Not judged": "Nicht beurteilt",
  "Access key": "Zugangsschlüssel",
  "This server asks for an access key.": "Dieser Server verlangt einen Zugangsschlüssel.",
  Use: "Verwenden",
  "Not for clinical decisions: look at every mask.": "Nicht für klinische Entscheidungen: jede Maske prüfen.",
  uploading: "wird übertragen",
  preparing: "wird vorbereitet",
  encoding: "Bild wird ausgewertet",
  decoding: "Strukturen werden gesucht",
  finishing: "wird abgeschlossen",
  "jobs before this one": "Aufträge davor",
  "Did you mean": "Meinten Sie",
  Show: "Zeigen",
  "Try it with a sample chest CT": "Mit einem Beispiel-Thorax-CT ausprobieren",
  about: "etwa",
  "kept as it was corrected.": "bleibt, wie korrigiert.",
  "All of these are corrected, and stay as they are.": "Alle sind korrigiert und bleiben, wie sie sind.",
  Correct: "Korrigieren",
  corrected: "korrigiert",
  Draw: "Zeichnen",
  Erase: "Radieren",
  Size: "Größe",
  Undo: "Zurück",
  Done: "Fertig",
  "Apply to the rest": "Auf den Rest anwenden",
  "Draw in a slice first.": "Zeichnen Sie zuerst in eine Schicht.",
};

const words = navigator.language.toLowerCase().startsWith("de") ? GERMAN : {};

/** A word or sentence of the page in the user's language. */
export function say(text) {
  return words[text] ?? text;
}

/** Put the user's language into the elements that name their text. */
export function translate(root) {
  document.documentElement.lang = words === GERMAN ? "de" : "en";
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
}
