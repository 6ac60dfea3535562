import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapHandler;
import org.eclipse.californium.core.CoapObserveRelation;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.californium.core.coap.BlockOption;
import org.eclipse.californium.core.coap.CoAP;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedSinglePskStore;

/**
 * A device on Californium, in the words that e2e/stack_test.go speaks.
 *
 * <p>Californium METHOD URL [--non] [--block BYTES] [--format N] [--accept N] [--payload FILE]
 * [--observe N] [--identity NAME --key HEX]
 *
 * <p>Prints one JSON object a response: its code, and its payload in base64. With --observe it
 * prints N notifications after the first response, then cancels.
 */
public class Californium {
  /** Larger than the largest body of the tests; Californium's own bound is 8 KiB. */
  private static final int MAX_BODY = 1 << 20;

  private static final long TIMEOUT_MS = 180_000;

  public static void main(String[] args) throws Exception {
    Map<String, String> flags = flags(args);
    CoapConfig.register();
    DtlsConfig.register();
    Configuration config = Configuration.createStandardWithoutFile();
    config.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, MAX_BODY);
    if (flags.containsKey("block")) {
      int block = Integer.parseInt(flags.get("block"));
      config.set(CoapConfig.PREFERRED_BLOCK_SIZE, block);
      config.set(CoapConfig.MAX_MESSAGE_SIZE, block);
    }
    CoapClient client = new CoapClient();
    client.setTimeout(TIMEOUT_MS);
    client.setEndpoint(endpoint(config, flags));
    Request request = request(args[0], args[1], flags);
    if (flags.containsKey("observe")) {
      observe(client, request, Integer.parseInt(flags.get("observe")));
    } else {
      CoapResponse response = client.advanced(request);
      if (response == null) {
        System.err.println("no response: " + request.getSendError());
        System.exit(1);
      }
      tell(response);
    }
    System.exit(0);
  }

  private static Map<String, String> flags(String[] args) {
    Map<String, String> flags = new HashMap<>();
    for (int i = 2; i < args.length; i++) {
      String name = args[i].substring(2);
      flags.put(name, name.equals("non") ? "" : args[++i]);
    }
    return flags;
  }

  private static CoapEndpoint endpoint(Configuration config, Map<String, String> flags) {
    CoapEndpoint.Builder builder = CoapEndpoint.builder().setConfiguration(config);
    if (flags.containsKey("key")) {
      byte[] key = java.util.HexFormat.of().parseHex(flags.get("key"));
      DtlsConnectorConfig dtls =
          DtlsConnectorConfig.builder(config)
              .setAdvancedPskStore(new AdvancedSinglePskStore(flags.get("identity"), key))
              .build();
      builder.setConnector(new DTLSConnector(dtls));
    }
    return builder.build();
  }

  private static Request request(String method, String url, Map<String, String> flags)
      throws Exception {
    CoAP.Type type = flags.containsKey("non") ? CoAP.Type.NON : CoAP.Type.CON;
    Request request = new Request(CoAP.Code.valueOf(method.toUpperCase()), type);
    request.setURI(url);
    if (flags.containsKey("payload")) {
      request.setPayload(Files.readAllBytes(Path.of(flags.get("payload"))));
    } else if (flags.containsKey("block")) {
      int szx = BlockOption.size2Szx(Integer.parseInt(flags.get("block")));
      request.getOptions().setBlock2(szx, false, 0);
    }
    if (flags.containsKey("format")) {
      request.getOptions().setContentFormat(Integer.parseInt(flags.get("format")));
    }
    if (flags.containsKey("accept")) {
      request.getOptions().setAccept(Integer.parseInt(flags.get("accept")));
    }
    return request;
  }

  private static void observe(CoapClient client, Request request, int notifications)
      throws Exception {
    CountDownLatch left = new CountDownLatch(notifications + 1);
    request.setObserve();
    CoapObserveRelation relation =
        client.observe(
            request,
            new CoapHandler() {
              @Override
              public void onLoad(CoapResponse response) {
                if (left.getCount() > 0) {
                  tell(response);
                }
                left.countDown();
              }

              @Override
              public void onError() {
                System.err.println("the observation failed");
                System.exit(1);
              }
            });
    left.await();
    relation.proactiveCancel();
  }

  private static void tell(CoapResponse response) {
    byte[] payload = response.getPayload() == null ? new byte[0] : response.getPayload();
    System.out.printf(
        "{\"code\":\"%s\",\"payload\":\"%s\"}%n",
        response.getCode().text, Base64.getEncoder().encodeToString(payload));
  }
}
