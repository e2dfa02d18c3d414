from __future__ import annotations

from playwright.async_api import async_playwright

from bench.browser import CHROMIUM_FLAGS, chromium
from signaling.sdp import parse_answer
from tests.e2e.firefox import firefox
from tests.signaling.test_sdp import OFFER, SLOTS

ANSWER = """
async (offer) => {
  const pc = new RTCPeerConnection();
  await pc.setRemoteDescription({ type: 'offer', sdp: offer });
  for (const transceiver of pc.getTransceivers()) {
    if (['mi', 'ca', 'sc'].includes(transceiver.mid)) transceiver.direction = 'sendonly';
  }
  const answer = await pc.createAnswer();
  await pc.setLocalDescription(answer);
  return answer.sdp;
}
"""


async def test_answer_of_chromium() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        page = await browser.new_page()
        sdp = await page.evaluate(ANSWER, OFFER)
        await browser.close()
    answer = parse_answer(sdp, SLOTS)
    assert answer.ssrcs.keys() == {"mi", "ca", "sc"}
    assert answer.ssrcs["mi"].rtx is None
    assert answer.ssrcs["ca"].rtx is not None
    assert answer.whole_frames
    for extension in ("ssrc-audio-level", "abs-send-time", "sdes:mid"):
        assert extension in sdp


async def test_answer_of_firefox() -> None:
    async with firefox() as browser:
        sdp = await (await browser.new_page()).evaluate(ANSWER, OFFER)
    answer = parse_answer(sdp, SLOTS)
    assert answer.ssrcs.keys() == {"mi", "ca", "sc"}
    assert answer.ssrcs["mi"].rtx is None
    assert answer.ssrcs["ca"].rtx is not None
    # it has no dependency descriptor for VP8
    assert not answer.whole_frames
    for extension in ("ssrc-audio-level", "abs-send-time", "sdes:mid"):
        assert extension in sdp
