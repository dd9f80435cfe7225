/** Errors that a server reports (docs/protocol.md, section 7) in German, by their code, with what to do. */

export const ERRORS = {
  unauthorized:
    "Der Zugangsschlüssel fehlt, ist falsch oder abgelaufen. Fragen Sie den Betreiber des Servers nach einem gültigen.",
  forbidden:
    "Der Server ist unter dieser Adresse nicht bekannt. Sein Betreiber kann den Namen mit --allowed-host zulassen.",
  volume_unknown: "Der Server hat den Scan nicht mehr. Versuchen Sie es noch einmal, dann wird er neu übertragen.",
  request_timeout: "Die Übertragung war zu langsam. Prüfen Sie das Netz, und versuchen Sie es noch einmal.",
  upload_out_of_step: "Die Übertragung ist aus dem Tritt geraten. Versuchen Sie es noch einmal.",
  limit_exceeded:
    "Das ist mehr, als dieser Server annimmt. Nehmen Sie weniger auf einmal, oder fragen Sie seinen Betreiber.",
  request_invalid: "Der Server versteht diese Anfrage nicht. Laden Sie die Seite neu, und versuchen Sie es noch einmal.",
  input_invalid: "Dieser Scan kann nicht verwendet werden. Wählen Sie eine andere Serie.",
  volume_invalid: "Die Voxel dieses Scans können nicht segmentiert werden. Wählen Sie eine andere Serie.",
  geometry_invalid: "Wo die Voxel im Patienten liegen, ist nicht brauchbar angegeben. Exportieren Sie den Scan erneut.",
  modality_unsupported: "Diese Modalität wird nicht unterstützt. Wählen Sie CT, MR oder PET.",
  edit_invalid:
    "Diese Korrektur kann nicht verwendet werden. Zeichnen Sie die Struktur in mindestens einer Schicht dieses Scans.",
  prompt_invalid: "Ein Name kann nicht verwendet werden. Nennen Sie mindestens eine Struktur, zum Beispiel Leber.",
  structure_unknown: "Das Modell kennt eine der Strukturen nicht. Unter „Baum und Sätze“ steht, was es kennt.",
  checksum_mismatch: "Die Daten wurden unterwegs beschädigt. Versuchen Sie es noch einmal.",
  version_mismatch: "Seite und Server haben verschiedene Versionen. Laden Sie die Seite neu.",
  busy: "Der Server ist beschäftigt. Versuchen Sie es in {retry_after_s} s noch einmal.",
  rate_limited:
    "Von Ihrer Adresse kamen zu viele falsche Zugangsschlüssel. Warten Sie {retry_after_s} s, und nehmen Sie den richtigen.",
  internal: "Im Server ist ein Fehler aufgetreten. Melden Sie ihn seinem Betreiber.",
  dependency_missing: "Dem Server fehlt ein Teil des Programms. Sagen Sie es seinem Betreiber.",
  cancelled: "Der Auftrag wurde abgebrochen.",
  weights_invalid: "Die Gewichte des Modells sind nicht brauchbar. Sagen Sie es dem Betreiber des Servers.",
  weights_missing: "Die Gewichte des Modells sind nicht installiert. Sagen Sie es dem Betreiber des Servers.",
  weights_tampered: "Die Gewichte des Modells wurden verändert. Sagen Sie es dem Betreiber des Servers.",
  weights_download_failed:
    "Die Gewichte des Modells konnten nicht geladen werden. Sagen Sie es dem Betreiber des Servers.",
  checkpoint_mismatch: "Die Gewichte passen nicht zum Modell. Sagen Sie es dem Betreiber des Servers.",
  device_unavailable: "Die Grafikkarte des Servers ist nicht verfügbar. Sagen Sie es seinem Betreiber.",
  engine_lost: "Die Berechnung ist ausgefallen und wird neu gestartet. Versuchen Sie es gleich noch einmal.",
  out_of_memory:
    "Der Speicher des Servers reicht nicht. Nennen Sie weniger Strukturen, oder schneiden Sie den Scan zu.",
  storage_failed:
    "Der Server kann den Scan nicht ablegen. Versuchen Sie es später noch einmal, oder fragen Sie seinen Betreiber.",
};
