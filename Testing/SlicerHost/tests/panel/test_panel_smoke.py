from slicer_host import driver


def test_smoke(ready, ui):
    driver.type_text(ui.promptEdit, "liver")
    driver.wait_until(lambda: ui.segmentButton.enabled, "button")
