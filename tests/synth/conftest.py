import pytest


@pytest.fixture(scope="session", autouse=True)
def ultralytics_keeps_out_of_home(tmp_path_factory):
    """Ultralytics writes its settings when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("ultralytics")))
        patch.setenv("YOLO_OFFLINE", "true")
        patch.setenv("YOLO_AUTOINSTALL", "false")
        yield
