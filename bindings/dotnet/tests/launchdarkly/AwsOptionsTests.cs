using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using Amazon;
using Amazon.DynamoDBv2;
using Amazon.Runtime;
using Flagstore.LaunchDarkly;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;

namespace Flagstore.Tests
{
    /// <summary>What the builder takes of the AWS SDK for .NET, and what it refuses by name.</summary>
    public sealed class AwsOptionsTests
    {
        /// <summary>What a builder translated, beside what every one begins with.</summary>
        private static Dictionary<string, object> Translated(Func<DynamoDBStoreBuilder<IPersistentDataStore>, object> set)
        {
            DynamoDBStoreBuilder<IPersistentDataStore> builder = DynamoDB.DataStore("flags");
            set(builder);
            FieldInfo field = builder.GetType().GetField("translated", BindingFlags.NonPublic | BindingFlags.Instance);
            return ((Dictionary<string, object>)field.GetValue(builder)).Where(option => option.Value != null && option.Key != "keep_told")
                .ToDictionary(option => option.Key, option => option.Value);
        }

        private static void Becomes(AmazonDynamoDBConfig configuration, params object[] namesAndValues)
        {
            var expected = new Dictionary<string, object>();
            for (int at = 0; at < namesAndValues.Length; at += 2) expected[(string)namesAndValues[at]] = namesAndValues[at + 1];
            Check.Same(expected, Translated(builder => builder.Configuration(configuration)));
        }

        private static void Refused(string name, Func<DynamoDBStoreBuilder<IPersistentDataStore>, object> set)
        {
            string message = Check.Fails("UNKNOWN_OPTION", false, () => set(DynamoDB.DataStore("flags"))).Message;
            Check.Contains("the option \"" + name + "\" ", message);
        }

        [Test]
        public void StaticCredentialsAreCarriedOver()
        {
            Check.Same(
                new Dictionary<string, object> { { "access_key_id", "key" }, { "secret_access_key", Endpoint.Secret } },
                Translated(builder => builder.Credentials(new BasicAWSCredentials("key", Endpoint.Secret))));
            Check.Same(
                new Dictionary<string, object> { { "access_key_id", "key" }, { "secret_access_key", Endpoint.Secret }, { "session_token", "token" } },
                Translated(builder => builder.Credentials(new SessionAWSCredentials("key", Endpoint.Secret, "token"))));
            Check.Equal(0, Translated(builder => builder.Credentials(null)).Count);
            Check.Equal("token", Translated(builder => builder.Credentials("key", Endpoint.Secret, "token"))["session_token"]);
        }

        private sealed class Renewed : BasicAWSCredentials
        {
            public Renewed() : base("key", Endpoint.Secret)
            {
            }
        }

        [Test]
        public void CredentialsThatDotNetRenewsAreRefused()
        {
            Refused("Credentials", builder => builder.Credentials(new AssumeRoleAWSCredentials()));
            Refused("Credentials", builder => builder.Credentials(new Renewed()));
            Refused("Credentials", builder => builder.Credentials(7));
        }

        [Test]
        public void AConfigurationIsTranslatedByItsParts()
        {
            Becomes(null);
            Becomes(new AmazonDynamoDBConfig());
            Becomes(new AmazonDynamoDBConfig { RegionEndpoint = RegionEndpoint.EUWest1 }, "region", "eu-west-1");
            Becomes(
                new AmazonDynamoDBConfig { ServiceURL = "http://localhost:8000/", AuthenticationRegion = "eu-west-2" },
                "endpoint", "http://localhost:8000/", "region", "eu-west-2");
            Becomes(
                new AmazonDynamoDBConfig { Timeout = TimeSpan.FromSeconds(7), ConnectTimeout = TimeSpan.FromSeconds(3) },
                "attempt_timeout_ms", TimeSpan.FromSeconds(7), "connect_timeout_ms", TimeSpan.FromSeconds(3));
            Becomes(new AmazonDynamoDBConfig { UseDualstackEndpoint = true, UseFIPSEndpoint = true }, "use_dual_stack", true, "use_fips", true);
            Becomes(new AmazonDynamoDBConfig { Profile = new Profile { Name = "production" } }, "profile", "production");
        }

        private sealed class OtherEndpoints : IEndpointProvider
        {
        }

        [Test]
        public void WhatCannotCrossIsRefusedByName()
        {
            Refused("Configuration.MaxErrorRetry", builder => builder.Configuration(new AmazonDynamoDBConfig { MaxErrorRetry = 3 }));
            Refused("Configuration.RetryMode", builder => builder.Configuration(new AmazonDynamoDBConfig { RetryMode = RequestRetryMode.Adaptive }));
            Refused("Configuration.UseHttp", builder => builder.Configuration(new AmazonDynamoDBConfig { UseHttp = true }));
            Refused("Configuration.ProxyHost", builder => builder.Configuration(new AmazonDynamoDBConfig { ProxyHost = "proxy" }));
            Refused(
                "Configuration.EndpointProvider",
                builder => builder.Configuration(new AmazonDynamoDBConfig { EndpointProvider = new OtherEndpoints() }));
            var found = new AmazonDynamoDBConfig { DefaultAWSCredentials = new BasicAWSCredentials("key", Endpoint.Secret) };
            Refused("Configuration.DefaultAWSCredentials", builder => builder.Configuration(found));
            Refused(
                "Configuration.Profile.Location",
                builder => builder.Configuration(new AmazonDynamoDBConfig { Profile = new Profile { Name = "p", Location = "/file" } }));
            Refused("Configuration", builder => builder.Configuration(new object()));
        }

        [Test]
        public void AClientIsRefusedByTheCompiler()
        {
            MethodInfo method = typeof(DynamoDBStoreBuilder<IPersistentDataStore>).GetMethod("ExistingClient");
            var refusal = method.GetCustomAttribute<ObsoleteAttribute>();
            Check.True(refusal.IsError);
            Check.Contains("Configuration", refusal.Message);
            var thrown = Check.Throws<TargetInvocationException>(() => method.Invoke(DynamoDB.DataStore("flags"), new object[] { new object() }));
            Check.Contains("the option \"ExistingClient\" cannot be used", thrown.InnerException.Message);
        }

        [Test]
        public void TheLastMethodCountsAndAnOptionWins()
        {
            Dictionary<string, object> last = Translated(
                builder => builder.Region("one").Configuration(new AmazonDynamoDBConfig { RegionEndpoint = RegionEndpoint.EUWest1 }));
            Check.Equal("eu-west-1", last["region"]);
            DynamoDBStoreBuilder<IPersistentDataStore> wrong =
                On(Endpoint.Local, DynamoDB.DataStore(Endpoint.Table), "p").Endpoint(new Uri("http://127.0.0.1:1"));
            using (IPersistentDataStore store = Built(wrong.Option("endpoint", Endpoint.Local.Url).Option("timeout_ms", 9000), Logs.Capture()))
            {
                Check.True(store.IsStoreAvailable());
            }
        }

        [Test]
        public void AProfileIsTaken()
        {
            string folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "flagstore-" + Guid.NewGuid())).FullName;
            File.WriteAllText(
                Path.Combine(folder, "credentials"), "[other]\naws_access_key_id = test\naws_secret_access_key = " + Endpoint.Secret + "\n");
            var environment = Child.WithLibrary;
            environment["AWS_SHARED_CREDENTIALS_FILE"] = Path.Combine(folder, "credentials");
            environment["AWS_CONFIG_FILE"] = Path.Combine(folder, "config");
            environment["AWS_EC2_METADATA_DISABLED"] = "true";
            Child child = Child.Run("AwsOptionsTests.Profile", environment, Endpoint.Local.Url.OriginalString);
            Directory.Delete(folder, true);
            Check.Equal("True False", child.Succeeded().Output);
        }

        /// <summary>Prints whether the table answers with a profile that is there, and with one that is not.</summary>
        public static void Profile(string[] arguments)
        {
            IEnumerable<string> answers = new[] { "other", "nobody" }.Select(profile =>
            {
                var builder = DynamoDB.DataStore(Endpoint.Table).Endpoint(new Uri(arguments[0])).Region("us-east-1").Profile(profile);
                using (IPersistentDataStore store = Built(builder, Logs.Capture())) return store.IsStoreAvailable().ToString();
            });
            Console.WriteLine(string.Join(" ", answers));
        }
    }
}
