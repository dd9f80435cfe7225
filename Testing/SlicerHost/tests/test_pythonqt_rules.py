import pytest
import qt
import slicer
import slicer.util


def test_property_is_an_attribute_and_calling_it_fails():
    button = qt.QPushButton("Run")
    assert button.text == "Run"
    button.checkable = True
    button.checked = True
    assert button.isChecked()
    with pytest.raises(TypeError):
        button.text()


def test_values_are_made_what_a_qvariant_of_the_type_would_be():
    box, edit = qt.QSpinBox(), qt.QLineEdit()
    box.value = 2.9
    edit.text = 7
    edit.enabled = []
    assert (box.value, edit.text, edit.enabled) == (2, "7", False)
    with pytest.raises(AttributeError, match="does not accept"):
        box.value = "three"


@pytest.mark.parametrize("name", ["txet", "myOwn", "setText", "clicked"])
def test_cpp_object_takes_no_new_attribute_and_no_new_method(name):
    with pytest.raises(AttributeError):
        setattr(qt.QPushButton(), name, lambda: None)


def test_object_of_a_python_class_takes_attributes():
    class Box(qt.QWidget):
        pass

    box = Box()
    box.mine = 1
    assert box.mine == 1


def test_read_only_property_cannot_be_set():
    with pytest.raises(AttributeError, match="not writable"):
        qt.QPushButton().width = 3


def test_unknown_attribute_raises():
    with pytest.raises(AttributeError):
        qt.QPushButton().caption  # noqa: B018


def test_signal_is_connected_by_its_cpp_signature():
    button, calls = qt.QPushButton(), []
    assert button.connect("clicked()", lambda: calls.append("plain"))
    assert button.connect("clicked( bool )", lambda checked: calls.append(checked))
    assert button.clicked.connect(lambda: calls.append("attribute"))
    button.click()
    assert calls == ["plain", False, "attribute"]


@pytest.mark.parametrize("signal", ["klicked()", "clicked(int)", "clicked"])
def test_wrong_signature_fails(signal):
    with pytest.raises(ValueError, match="does not exist"):
        qt.QPushButton().connect(signal, print)


def test_disconnected_slot_is_not_called():
    button, calls = qt.QPushButton(), []

    def call():
        calls.append(1)

    button.connect("clicked()", call)
    assert button.disconnect("clicked()", call)
    assert not button.disconnect("clicked()", call)
    button.click()
    assert calls == []


def test_tool_tip_comes_back_as_rich_text():
    button = qt.QPushButton()
    button.toolTip = "Starts it"
    assert button.toolTip == "<p>Starts it</p>"


def test_enumerators_are_flat_numbers():
    assert qt.Qt.Checked == 2
    assert not qt.Qt.Unchecked
    assert qt.Qt.UserRole + 1 == 257


def test_timer_fires_once_by_the_function_of_the_class_and_the_property():
    from slicer_host import driver

    calls = []
    qt.QTimer.singleShot(0, lambda: calls.append("function"))
    timer = qt.QTimer()
    timer.singleShot = True
    timer.interval = 1
    timer.connect("timeout()", lambda: calls.append("object"))
    timer.start()
    driver.wait_until(lambda: len(calls) == 2, "two calls")
    assert not timer.active


@pytest.mark.parametrize("name", ["Signal", "Slot", "QVersionNumber", "QSvgWidget", "qVersion", "SIGNAL"])
def test_names_that_slicer_does_not_expose_are_absent(name):
    assert not hasattr(qt, name)


def test_settings_are_kept_in_a_temporary_place():
    import tempfile

    settings = qt.QSettings()
    settings.setValue("TextSegment/server", "http://127.0.0.1")
    assert settings.fileName().startswith(tempfile.gettempdir())
    assert qt.QSettings().value("TextSegment/server") == "http://127.0.0.1"


def test_layout_of_nothing_visible_counts_as_false_and_is_not_found_by_name():
    """Operated in an application: an empty layout of a .ui file is no attribute of ``ui`` there."""
    root = qt.QWidget()
    outer = qt.QVBoxLayout(root)
    inner = qt.QVBoxLayout()
    inner.objectName = "inner"
    outer.addLayout(inner)
    assert not inner
    assert not hasattr(slicer.util.childWidgetVariables(root), "inner")
    inner.addWidget(qt.QLabel("something"))
    root.show()
    assert inner
    assert slicer.util.childWidgetVariables(root).inner is inner
