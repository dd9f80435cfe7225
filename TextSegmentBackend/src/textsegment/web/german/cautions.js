/**
 * Cautions of the server and of the page in German, by their code. Values stand in braces, numbers with so many digits
 * as follow a colon. Those of errors also say what to do.
 */

export const CAUTIONS = {
  not_found: "In diesem Bild nicht gefunden: {structure}.",
  region_only: "Nur ein Bereich des Bilds wurde ausgewertet: Masken enden an seinem Rand.",
  result_resampled:
    "Das Ergebnis liegt auf anderen Voxeln als die Referenz und wurde auf diese umgerechnet: Unterschiede bis zu einem "
    + "Voxel können daher kommen.",
  fast: "Schneller Modus: Masken können schlechter sein, am ehesten dort, wo Bildblöcke aneinanderstoßen.",
  mostly_doubtful:
    "Viele Ergebnisse wirken zweifelhaft ({count} von {total}): prüfen Sie Modalität, Einheit und Orientierung.",
  kept_corrected: "{structure} bleibt, wie es korrigiert wurde.",
  upside_down:
    "Die Strukturen liegen von Kopf bis Fuß in umgekehrter Reihenfolge: das Bild steht offenbar auf dem Kopf, prüfen Sie "
    + "seine Orientierung.",
  required_not_found: "Die Vorlage verlangt sie, und sie wurde nicht gefunden.",
  said_in_file: "{note}",
  said: "{sentence}",

  // Verdicts and reasons.
  check: "Prüfen: {reasons}.",
  probably_absent: "Wahrscheinlich nicht im Bild: {reasons}.",
  not_judged: "Nicht beurteilt, da die Gewichte nicht kalibriert sind: {reasons}.",
  unsure: "das Modell ist bei {percent} % davon unsicher",
  distant_parts:
    "{count} getrennte Teile (der zweite {percent} % so groß wie der erste, {distance_mm} mm entfernt)",
  wrong_side: "{percent} % davon liegen auf der anderen Körperseite",
  too_small: "nur {volume_ml} ml",
  too_large: "ganze {volume_ml} ml",
  misplaced: "{distance_cm} cm {direction}, als die anderen Strukturen erwarten lassen",
  claimed: "andere Strukturen beanspruchen {percent} % davon",
  parts_disagree: "nur {percent} % Übereinstimmung mit den Teilen",
  unstable: "nur {percent} % Übereinstimmung mit einer zweiten Berechnung",

  // Tidying, corrections, derived structures.
  tidy_parts: "Aufgeräumt: kleine Teile abseits des größten wurden entfernt ({count} Stück, {volume_ml:2} ml).",
  tidy_side: "Aufgeräumt: was auf der anderen Körperseite lag, wurde entfernt ({volume_ml:2} ml).",
  tidy_made_of_parts:
    "Aufgeräumt: zusammengesetzt aus {parts} ({removed_ml:2} ml entfernt, {added_ml:2} ml hinzugefügt).",
  tidy_smoothed:
    "Aufgeräumt: um {deviation_mm:2} mm geglättet ({removed_ml:2} ml entfernt, {added_ml:2} ml hinzugefügt).",
  holes_filled: "Löcher in den Schichten wurden gefüllt ({added_ml:2} ml).",
  edits_disagree: "Korrekturen widersprechen sich in {count} Voxeln: die letzte gilt.",
  edits_by_shape: "Die Korrekturen wurden allein nach ihrer Form fortgesetzt, ohne Blick auf das Bild.",
  by_nninteractive:
    "Die Korrekturen wurden von einem nnInteractive-Server fortgesetzt, für dessen Gewichte diese Nutzungsbedingungen "
    + "gelten: {terms}.",
  operand_not_found: "{operand} wurde nicht gefunden und trägt daher nichts bei.",
  operand_cut_off: "Die Struktur reicht bis zum Bildrand, wo ein Teil fehlen kann.",
  margin_cut_off: "der Saum reicht über das Bild hinaus und endet an dessen Rand.",
  margin_rounded: "auf diesem Gitter beträgt der Saum {changes}.",

  // What the values of the image look like.
  looks_like_ct:
    "Die Werte sehen nach Hounsfield-Einheiten aus, als Modalität ist aber {modality} angegeben: bitte prüfen.",
  looks_like_labels: "Das Bild sieht nach einer Label-Karte oder Maske aus, nicht nach einem Scan.",
  not_hounsfield:
    "Die Werte ({low} bis {high}) können kaum Hounsfield-Einheiten sein: in einer anderen Einheit sind die Masken "
    + "eines CT falsch.",
  not_hounsfield_scaled:
    "Die Werte ({low} bis {high}) sind keine Hounsfield-Einheiten, sondern offenbar skaliert: in einer anderen Einheit "
    + "sind die Masken eines CT falsch. Nehmen Sie das Originalbild.",
  not_hounsfield_shifted:
    "Die Werte ({low} bis {high}) sind keine Hounsfield-Einheiten, sondern offenbar um etwa 1000 verschoben: in einer "
    + "anderen Einheit sind die Masken eines CT falsch. Ziehen Sie das ab, oder nehmen Sie das Originalbild.",
  not_hounsfield_clipped:
    "Die Werte beginnen bei {low}: die von Luft und Fett sind abgeschnitten, oder es sind keine Hounsfield-Einheiten. "
    + "Die Masken eines solchen CT sind falsch: nehmen Sie das Originalbild.",
  not_hounsfield_wrapped:
    "Die Werte ({low} bis {high}) sind keine Hounsfield-Einheiten: negative haben offenbar ihr Vorzeichen verloren und "
    + "liegen knapp unter 65536. Die Masken eines solchen CT sind falsch: nehmen Sie das Originalbild.",
  nothing_above_zero:
    "Kein Voxel liegt über null: das Bild könnte in einer anderen Einheit sein, und die Ergebnisse schlecht.",
  padding_clipped:
    "Füllwerte weit außerhalb der übrigen Werte ({percent} % der Voxel) wurden auf {low} bis {high} begrenzt.",
  modality_guessed:
    "Als Modalität wurde {modality} angenommen, nach {source} des Bilds: ist das falsch, geben Sie mit --modality die "
    + "richtige an.",

  // Reading of files.
  rescale_missing:
    "Die CT-Dateien sagen nicht, wie gespeicherte Werte zu Hounsfield-Einheiten werden (Rescale Slope und Intercept "
    + "fehlen): sind es nicht schon welche, sind die Masken falsch.",
  rescale_type:
    "Laut den CT-Dateien sind ihre Werte {unit}, keine Hounsfield-Einheiten: die Masken können falsch sein.",
  orientation_unsaid:
    "Die Datei sagt nichts über die Orientierung: Achsen nach links, hinten und kopfwärts werden angenommen, prüfen Sie "
    + "das Ergebnis.",
  orientation_coronal:
    "Die Datei sagt nichts über die Orientierung: koronale Schichten werden angenommen, prüfen Sie das Ergebnis.",
  unit_doubtful:
    "Die Voxel sind {size_mm:2} mm groß, das ganze Bild {extent_mm:2} mm: die Einheit könnten Zentimeter sein, die für "
    + "Millimeter gehalten wurden.",
  unit_unknown:
    "Die Einheit der Voxelgrößen in der Datei ist unbekannt: Millimeter werden angenommen, prüfen Sie das Ergebnis.",
  foreign_objects_left_out:
    "Objekte anderer Art in der Serie (Screenshots, Dosisberichte) wurden weggelassen: {count}.",
  stray_images_left_out:
    "Bilder der Serie, die nicht zu den anderen passen (Größe, Richtung oder Lage), wurden weggelassen: {count}.",
  unplaced_images_left_out: "Bilder ohne Angabe ihrer Lage (Screenshots, Dosisberichte) wurden weggelassen: {count}.",
  damaged_files_left_out: "Beschädigte DICOM-Dateien wurden weggelassen: {count}.",
  only_stack_taken: "Es gibt mehrere Serien: genommen wurde {series}, die einzige mit mindestens {least} Schichten.",
  slices_filled_in:
    "Schichten fehlen oder haben ungleiche Abstände: {count} wurden aus ihren Nachbarn ergänzt.",
  slices_uneven:
    "Die Schichten haben ungleiche Abstände ({least_mm} bis {most_mm} mm): das Bild wurde auf {distance_mm} mm umgerechnet.",
  suv_by_other_measure: "Die PET-Werte sind SUV, aber nicht nach dem Körpergewicht.",
  pet_unit_unknown: "Die PET-Werte bleiben in der Einheit der Dateien, die keine der Aktivität ist.",
  not_suv_weight: "Die PET-Werte sind Bq/ml, keine SUV: in den Dateien fehlt das Gewicht des Patienten.",
  not_suv_dose: "Die PET-Werte sind Bq/ml, keine SUV: in den Dateien fehlt die Dosis oder ihre Halbwertszeit.",
  not_suv_decay:
    "Die PET-Werte sind Bq/ml, keine SUV: sie sind nicht auf einen bekannten Zeitpunkt zerfallskorrigiert.",
  not_suv_time:
    "Die PET-Werte sind Bq/ml, keine SUV: in den Dateien fehlt die Zeit von Aufnahme oder Injektion, oder beide passen "
    + "nicht zusammen.",

  // Structure sets and segmentations.
  contours_beyond_image: "Konturen, die über das Bild hinausreichen, wurden an seinem Rand abgeschnitten: {count}.",
  contours_left_out: "Konturen, die auf keiner Schicht des Scans liegen, wurden weggelassen: {count}.",
  contours_moved:
    "Konturen, die bis zu {most_mm} mm neben den Schichten des Scans liegen, wurden der nächsten Schicht zugeordnet: "
    + "{count}.",
  contours_too_close: "Die Konturen liegen enger als die Schichten des Scans; weggelassen: {count}.",
  contours_unreadable: "Konturen, die sich nicht lesen lassen, wurden weggelassen: {count}.",
  contours_too_small: "Die Konturen enthalten keine Voxelmitte.",
  contours_limited: "Konturen mit mehr als {most} Punkten wurden auf so viele vereinfacht.",
  contours_tiny: "Konturen, die kleiner als {smallest_mm2} mm² sind, wurden weggelassen: {count}.",
  points_miscounted: "Konturen haben eine andere Zahl von Punkten, als sie angeben: {count}.",
  items_unassigned: "Konturen, die zu keiner oder zu mehreren Regionen gehören, wurden weggelassen: {count}.",
  slices_interpolated:
    "Die Konturen liegen weiter auseinander als die Schichten des Scans; interpolierte Schichten: {count}.",
  slices_without_contours:
    "Zwischen den Konturen liegen Schichten ohne Kontur, in denen die Region leer bleibt: {count}.",
  regions_elsewhere: "Regionen eines anderen Bezugssystems (Frame of Reference) wurden weggelassen: {count}.",
  regions_of_other_images: "Regionen, die auf anderen Bildern gezeichnet wurden, wurden weggelassen: {count}.",
  regions_replaced:
    "Maschinell erstellte Regionen des früheren Structure Sets, die niemand bearbeitet hat, wurden ersetzt: {count}.",
  regions_kept:
    "Regionen des früheren Structure Sets, die eine Person bearbeitet oder ergänzt hat, blieben erhalten: {names}.",
  approved_set_kept:
    "Ein früheres Structure Set dieser Serie ist von einer Person freigegeben: es blieb, wie es war, und dies ist ein "
    + "neues.",
  approval_lost: "Das erweiterte Structure Set war von einer Person freigegeben; das neue ist es nicht.",
  other_frame_of_same_images:
    "{noun} wurde auf den Bildern dieses Scans erstellt, nennt für sie aber ein anderes Bezugssystem.",
  no_images_named: "{noun} nennt die Bilder nicht, auf denen gezeichnet wurde; nur das Bezugssystem ist dasselbe.",
  object_rejected: "{noun} wurde von einer Person abgelehnt.",
  names_in_ascii: "Namen sind in ASCII: Texte des Scans haben einen anderen Zeichensatz, als angegeben ist.",
  names_unclear: "Nicht verglichen, weil mehrere Strukturen so heißen oder so gemeint sein können: {names}.",
  not_axial:
    "Die Bilder sind nicht axial: viele Bestrahlungsplanungssysteme nehmen Structure Sets nur auf axialen Bildern an.",

  // Refusals, with what to do.
  limit_volume:
    "Der Scan ist größer, als der Server annimmt: höchstens {most_voxels:12} Voxel und {most_bytes:12} Byte. Schneiden "
    + "Sie ihn zu, oder fragen Sie den Betreiber des Servers.",
  limit_prompts:
    "Das sind {count} Strukturen, und auf einmal gehen höchstens {most}. Verteilen Sie sie auf mehrere Aufträge.",
  limit_prompt_length: "Ein Name hat mehr als {most} Zeichen. Kürzen Sie ihn.",
  limit_request:
    "Die Anfrage ist größer als die {most_bytes:12} Byte, die der Server annimmt. Nehmen Sie weniger auf einmal.",
  limit_job_time:
    "Der Auftrag hat länger gedauert als die erlaubten {most_s:4} s. Nennen Sie weniger Strukturen, oder fragen Sie den "
    + "Betreiber des Servers.",
  limit_model_grid:
    "In der Auflösung des Modells hätte das Bild {voxels:3} Voxel. Prüfen Sie die Voxelgröße in der Datei, oder "
    + "schneiden Sie das Bild zu.",
  limit_contours: "Die Konturen haben mehr als {most} Punkte. Speichern Sie in einem anderen Format.",
  limit_edits: "Das sind zu viele Korrekturen auf einmal. Wenden Sie sie in mehreren Schritten an.",
  queue_full: "Die Warteschlange ist voll. Versuchen Sie es gleich noch einmal.",
  queue_full_of_yours: "Zu viele Ihrer Aufträge warten schon. Versuchen Sie es noch einmal, wenn einer fertig ist.",
  queue_closed: "Der Server wird gerade beendet. Versuchen Sie es später noch einmal.",
  uploads_full: "Es werden gerade zu viele Scans übertragen. Versuchen Sie es gleich noch einmal.",
  edits_say_nothing:
    "Bisher ist nur etwas außerhalb der Struktur gezeichnet. Zeichnen Sie sie in mindestens einer Schicht.",
  modality_without_structures:
    "Das Modell kennt keine Struktur in {modality}-Bildern. Wählen Sie eine andere Modalität, oder einen Server mit einem "
    + "anderen Modell.",
  prompt_not_known: "Das Modell kennt „{prompt}“ in {modality}-Bildern nicht. Unter „Baum und Sätze“ steht, was es kennt.",
};

/** Values that are words, in German. */
export const VALUES = {
  above: "höher",
  below: "tiefer",
  header: "dem Kopf der Datei",
  unit: "der Einheit der Werte",
  name: "dem Namen",
  values: "den Werten",
  "structure set": "Das Structure Set",
  segmentation: "Die Segmentierung",
};
