// Goes on without a press of the button: sends the form, or follows the link when every frame of
// the page is loaded, or five seconds later. Without this script, both are there to be pressed.
"use strict";
(() => {
  const onward = document.querySelector("[data-onward]");
  if (onward instanceof HTMLFormElement) {
    onward.submit();
  } else if (onward instanceof HTMLAnchorElement) {
    const go = () => location.replace(onward.href);
    addEventListener("load", go, { once: true });
    setTimeout(go, 5000);
  }
})();
