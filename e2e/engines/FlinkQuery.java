import java.util.StringJoiner;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Runs SQL over the Parquet files of a readings table with Flink's own reader,
 * and prints the rows as a JSON array of arrays. The statement calls the table
 * bucket. Usage: java FlinkQuery.java TABLE SQL
 */
public class FlinkQuery {
    public static void main(String[] args) throws Exception {
        Configuration config = new Configuration();
        config.setString("parallelism.default", "1");
        config.setString("table.local-time-zone", "UTC");
        TableEnvironment flink = TableEnvironment.create(
            EnvironmentSettings.newInstance().inBatchMode().withConfiguration(config).build());
        flink.executeSql("CREATE TABLE bucket (seq BIGINT, device STRING, resource STRING, unit STRING,"
            + " `time` TIMESTAMP(6), received TIMESTAMP(6), `value` DOUBLE, flag BOOLEAN, text STRING, data BYTES)"
            + " WITH ('connector' = 'filesystem', 'format' = 'parquet', 'parquet.utc-timezone' = 'true',"
            + " 'path' = 'file://" + args[0] + "/data')");
        StringJoiner rows = new StringJoiner(",", "[", "]");
        try (CloseableIterator<Row> result = flink.executeSql(args[1]).collect()) {
            result.forEachRemaining(row -> rows.add(json(row)));
        }
        System.out.println(rows);
    }

    private static String json(Row row) {
        StringJoiner cells = new StringJoiner(",", "[", "]");
        for (int i = 0; i < row.getArity(); i++) {
            Object cell = row.getField(i);
            boolean bare = cell == null || cell instanceof Number || cell instanceof Boolean;
            cells.add(bare ? String.valueOf(cell) : "\"" + cell + "\"");
        }
        return cells.toString();
    }
}
