/** Keeps the screen on while someone is in the room; listening is not idling. */
export function keepAwake(): () => void {
  const { wakeLock } = navigator as { wakeLock?: WakeLock };
  if (!wakeLock) return () => undefined;
  let lock: WakeLockSentinel | null = null;
  let over = false;

  async function take() {
    // The browser takes it away whenever the page is hidden.
    if (over || document.visibilityState !== 'visible' || !wakeLock) return;
    try {
      const taken = await wakeLock.request('screen');
      if (over as boolean) await taken.release();
      else lock = taken;
    } catch {
      // Low battery, perhaps: the room works without it.
    }
  }
  const shown = () => void take();
  document.addEventListener('visibilitychange', shown);
  void take();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', shown);
    void lock?.release().catch(() => undefined);
  };
}
