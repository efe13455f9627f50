using System;
using System.Collections.Generic;
using System.Reflection;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Options of the AWS SDK for .NET turned into the store's own. What cannot be turned is refused by name: an option that was
    /// silently left out would only be missed in production.
    /// </summary>
    /// <remarks>The objects are read by the names of their properties, so that this package does not depend on that SDK.</remarks>
    internal static class AwsOptions
    {
        private const string ByTime =
            "has no counterpart, since time decides on retries and not a number: leave it out, and set Option(\"timeout_ms\", …)";

        private static readonly Dictionary<string, string> Instead = new Dictionary<string, string>
        {
            { "MaxErrorRetry", ByTime },
            { "RetryMode", ByTime },
            { "ThrottleRetries", ByTime },
            { "FastFailRequests", ByTime },
            { "UseHttp", "has no counterpart: give a URL that begins with http:// as ServiceURL" },
            { "DefaultAWSCredentials", "cannot be read here: call Credentials" },
        };

        internal static Dictionary<string, object> OfCredentials(object credentials)
        {
            var options = new Dictionary<string, object>();
            if (credentials == null) return options;
            Type type = credentials.GetType();
            // The exact types: those derived from them may renew what they hold.
            if (type.FullName != "Amazon.Runtime.BasicAWSCredentials" && type.FullName != "Amazon.Runtime.SessionAWSCredentials")
            {
                throw Refused(
                    "Credentials",
                    "cannot use a " + type.Name + ", which runs in .NET: leave it out and libflagstore looks in the same places,"
                    + " call Profile for a profile or an assumed role, or give BasicAWSCredentials or SessionAWSCredentials");
            }
            object keys = type.GetMethod("GetCredentials", Type.EmptyTypes).Invoke(credentials, null);
            options["access_key_id"] = Of(keys, "AccessKey");
            options["secret_access_key"] = Of(keys, "SecretKey");
            // Empty where there is none; null leaves the option out.
            options["session_token"] = string.IsNullOrEmpty(Of(keys, "Token") as string) ? null : Of(keys, "Token");
            return options;
        }

        internal static Dictionary<string, object> OfConfiguration(object configuration)
        {
            var options = new Dictionary<string, object>();
            if (configuration == null) return options;
            Type type = configuration.GetType();
            if (type.FullName != "Amazon.DynamoDBv2.AmazonDynamoDBConfig")
            {
                throw Refused("Configuration", "takes an AmazonDynamoDBConfig, not a " + type.Name);
            }
            var url = Of(configuration, "ServiceURL") as string;
            if (!string.IsNullOrEmpty(url)) options["endpoint"] = url;
            object region = Of(configuration, "AuthenticationRegion");
            // Reading RegionEndpoint has the AWS SDK look for a region, as it would when a client is built; not with a URL.
            if (region == null && string.IsNullOrEmpty(url)) region = Of(Of(configuration, "RegionEndpoint"), "SystemName");
            if (region != null) options["region"] = region;
            // What differs from a configuration that nobody touched was set.
            object untouched = Activator.CreateInstance(type);
            foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            {
                if (!property.CanRead || !property.CanWrite || property.GetIndexParameters().Length > 0) continue;
                if (property.Name == "RegionEndpoint") continue;
                object value = property.GetValue(configuration);
                if (!Same(value, property.GetValue(untouched))) Set(options, property.Name, value);
            }
            return options;
        }

        private static void Set(Dictionary<string, object> options, string name, object value)
        {
            switch (name)
            {
                case "ServiceURL":
                case "AuthenticationRegion":
                    break;
                case "Timeout":
                    options["attempt_timeout_ms"] = value;
                    break;
                case "ConnectTimeout":
                    options["connect_timeout_ms"] = value;
                    break;
                case "UseDualstackEndpoint":
                    options["use_dual_stack"] = value;
                    break;
                case "UseFIPSEndpoint":
                    options["use_fips"] = value;
                    break;
                case "Profile":
                    if (Of(value, "Location") != null)
                    {
                        throw Refused(
                            "Configuration.Profile.Location", "has no counterpart: name the file in AWS_SHARED_CREDENTIALS_FILE");
                    }
                    options["profile"] = Of(value, "Name");
                    break;
                default:
                    string why;
                    if (!Instead.TryGetValue(name, out why)) why = "has no counterpart in flagstore: leave it out";
                    throw Refused("Configuration." + name, why);
            }
        }

        /// <summary>Objects without a value of their own, such as strategies, are compared by their type.</summary>
        private static bool Same(object value, object other)
        {
            if (value == null || other == null) return value == other;
            bool byValue = value is string || value.GetType().GetTypeInfo().IsValueType;
            return byValue ? value.Equals(other) : value.GetType() == other.GetType();
        }

        private static object Of(object holder, string property) =>
            holder?.GetType().GetProperty(property)?.GetValue(holder);

        // Never with the value: it may be a credential.
        internal static FlagStoreException Refused(string name, string why) =>
            new FlagStoreException(UnknownOption, "STORE_ERROR_UNKNOWN_OPTION", false, "the option \"" + name + "\" " + why);

        private const int UnknownOption = -7;
    }
}
