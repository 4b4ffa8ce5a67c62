// The theme's search runs in a worker, and browsers start none from file://. On pages that are opened from a disk it
// runs in a hidden frame instead. IFrameWorker is the name that the theme's search looks for; the plugin `offline` would
// fetch a script of that name from the network. Nothing happens on a server.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inner = this.frame.contentWindow;
      addEventListener("message", (event) => {
        if (event.source !== inner) return;
        const copy = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(copy);
        if (this.onmessage) this.onmessage(copy);
      });
      const begin = `
        postMessage = (message) => parent.postMessage(message, "*");
        importScripts = (...urls) => urls.reduce((done, url) => done.then(() => new Promise((resolve, reject) => {
          const script = document.createElement("script");
          script.src = url;
          script.onload = resolve;
          script.onerror = reject;
          document.body.appendChild(script);
        })), Promise.resolve());`;
      const page = inner.document;
      page.open();
      page.write(`<html><body><script>${begin}</` + `script><script src="${url}"></` + `script></body></html>`);
      page.close();
      this.ready = new Promise((resolve) => {
        this.frame.addEventListener("load", resolve, { once: true });
        setTimeout(resolve, 3000);
      });
    }
    postMessage(message) {
      this.ready.then(() => {
        const event = new MessageEvent("message", { data: message });
        this.frame.contentWindow.dispatchEvent(event);
      });
    }
    terminate() {
      this.frame.remove();
    }
  };
  window.Worker = window.IFrameWorker;
}
