"""A browser for tests of pages, and a window of any size in it."""

import contextlib
import shutil

import pytest

# What the page plays goes through an analyser, and every start of a sound is kept: when, from where, how long it is.
_LISTENING = """
window.starts = [];
window.ear = null;
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
const { start } = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (when, offset) {
  starts.push([when, offset, this.buffer.length]);
  return start.call(this, when, offset);
};
const { connect } = AudioNode.prototype;
AudioNode.prototype.connect = function (to, ...more) {
  if (to instanceof AudioDestinationNode) {
    window.ear ??= new AnalyserNode(this.context, { fftSize: 2048, smoothingTimeConstant: 0 });
    connect.call(this, ear);
  }
  return connect.call(this, to, ...more);
};
window.heard = (...tones) => {
  const levels = new Float32Array(1024);
  ear.getFloatFrequencyData(levels);
  return tones.map((hz) => levels[Math.round((hz * 2048) / ear.context.sampleRate)] > -60);
};
"""


@contextlib.contextmanager
def started():
    """Start headless Chromium, in which `heard` tells which tones sound, and `starts` what was started and when."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    if shutil.which("chromedriver") is None:
        pytest.fail("chromedriver is missing: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync"):
        options.add_argument(f"--{argument}")
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _LISTENING})
    driver.set_script_timeout(20)
    set_window(driver, 1280)
    yield driver
    driver.quit()


def set_window(browser, width, scheme="dark"):
    """Set the width of the window, 900 pixels high, and whether the system says that it is dark or light."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def until(browser, script, *arguments):
    """Wait until a script returns something true, and return it."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda b: b.execute_script(script, *arguments))
