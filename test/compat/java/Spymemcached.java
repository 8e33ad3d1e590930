// Tries spymemcached. Java runs it from its source.
import java.util.*;
import java.util.concurrent.Callable;
import net.spy.memcached.*;

public class Spymemcached {
  static boolean failed;

  static void check(boolean ok, String what) {
    if (!ok) throw new IllegalStateException(what);
  }

  static void step(String name, Callable<?> f) {
    try {
      f.call();
      System.out.println(name + ": ok");
    } catch (Throwable e) {
      failed = true;
      System.out.println(name + ": FAIL " + e.toString().replaceAll("\\s+", " "));
      if (name.equals("connect")) System.exit(1);
    }
  }

  public static void main(String[] args) throws Exception {
    java.util.logging.Logger.getLogger("net.spy").setLevel(java.util.logging.Level.OFF);
    System.out.println("version: " + args[0]);
    var c = new MemcachedClient(AddrUtil.getAddresses(args[1] + ":" + args[2]));
    step("connect", () -> {
      check(c.set("compat:start", 0, "1").get(), "set");
      check("1".equals(c.get("compat:start")), "get");
      return null;
    });
    step("handshake", () -> {
      check(c.getVersions().size() == 1, "no version");
      return null;
    });
    step("binary", () -> {
      // What does not compress, as the library does that by itself.
      var value = new byte[1 << 20];
      new Random(1).nextBytes(value);
      // Its limit is 1 MiB with all that is around the value.
      check(c.set("spy:b", 0, value).get(), "set");
      check(Arrays.equals(value, (byte[]) c.get("spy:b")), "another value came back");
      return null;
    });
    step("multiget", () -> {
      var keys = new ArrayList<String>();
      for (int i = 0; i < 1000; i++) {
        keys.add("spy:m" + i);
        check(c.set(keys.get(i), 0, "" + i).get(), "set");
      }
      var got = c.getBulk(keys);
      for (int i = 0; i < 1000; i++) check(("" + i).equals(got.get(keys.get(i))), "key " + i + " of " + got.size());
      return null;
    });
    step("expiry", () -> {
      check(c.set("spy:e", 100, "v").get() && "v".equals(c.get("spy:e")), "not there");
      check(c.touch("spy:e", 1).get(), "touch");
      Thread.sleep(2200);
      check(c.get("spy:e") == null, "it is still there");
      return null;
    });
    step("counters", () -> {
      c.set("spy:c", 0, "1").get();
      c.incr("spy:c", 41);
      check(c.decr("spy:c", 1) == 41, "counted wrong");
      return null;
    });
    step("cas", () -> {
      c.set("spy:cas", 0, "old").get();
      long token = c.gets("spy:cas").getCas();
      check(c.cas("spy:cas", token, "new") == CASResponse.OK, "the first");
      check(c.cas("spy:cas", token, "newer") == CASResponse.EXISTS, "the second");
      return null;
    });
    step("append", () -> {
      c.delete("spy:a").get();
      check(c.add("spy:a", 0, "a").get() && c.append("spy:a", "b").get(), "append");
      check("ab".equals(c.get("spy:a")), "another value");
      return null;
    });
    System.out.println("restart");
    new Scanner(System.in).nextLine();
    step("reconnect", () -> {
      for (int i = 0; ; i++) {
        try {
          check(c.set("spy:r", 0, "1").get(), "set");
          return null;
        } catch (Exception e) {
          if (i == 60) throw e;
          Thread.sleep(100);
        }
      }
    });
    System.exit(failed ? 1 : 0);
  }
}
